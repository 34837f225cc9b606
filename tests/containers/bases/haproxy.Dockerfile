# Stands in for haproxy:3.0: Debian's HAProxy 3.0 with the official image's folders and command.
FROM causeway-standin:trixie
RUN apt-get update -q && apt-get install -y -q --no-install-recommends haproxy \
    && rm -rf /var/lib/apt/lists/* && mkdir -p /usr/local/etc/haproxy
USER haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
