# One image for every service, the emulator and `causeway`: what differs is the command.
#   docker build --tag causeway .
#   docker run causeway python -m services.mail --roles web
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
# The environment gets no pip of its own: what runs installs nothing.
RUN python3 -m venv --without-pip /opt/causeway
COPY requirements.lock /
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m pip --python /opt/causeway/bin/python install \
        --disable-pip-version-check --no-compile --require-hashes --requirement /requirements.lock
# Google's client brings the description of each of its APIs, 100 MB of them: six are used.
RUN cd /opt/causeway/lib/python3*/site-packages/googleapiclient/discovery_cache/documents \
    && find . -type f ! -name gmail.v1.json ! -name calendar.v3.json ! -name people.v1.json \
         ! -name pubsub.v1.json ! -name oauth2.v2.json ! -name serviceusage.v1.json -delete
RUN python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/causeway/lib

FROM ${PYTHON} AS product
COPY pyproject.toml /build/
COPY libs /causeway/libs
COPY services /causeway/services
COPY emulator /causeway/emulator
COPY cli /causeway/cli
# What pip would record of us: the version that `/` answers and the references show.
RUN version=$(python3 -c "import tomllib; print(tomllib.load(open('/build/pyproject.toml', 'rb'))['project']['version'])") \
    && mkdir "/causeway/causeway-$version.dist-info" \
    && printf 'Metadata-Version: 2.1\nName: causeway\nVersion: %s\n' "$version" \
        >"/causeway/causeway-$version.dist-info/METADATA" \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /causeway

FROM ${PYTHON}
# Packages change seldom: theirs is a layer of its own, which a new release does not send again.
COPY --from=packages /opt/causeway /opt/causeway
COPY --from=product /causeway /causeway
ENV PATH=/opt/causeway/bin:$PATH \
    PYTHONPATH=/causeway \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CAUSEWAY_HOST=0.0.0.0 \
    CAUSEWAY_LOG_FORMAT=json
WORKDIR /causeway
# Nothing is written: the root file system may be read-only.
USER 10001:10001
# Health is asked with `python -m libs.common.probe URL`: which port, the command decides.
