"""Every performance claim of Causeway, as a command: `python -m bench [NAME ...]`.

A bench measures what the product does beside its floor: the same work, written by hand as well as
we can. Both arms alternate in one run, and what is reported is the median of the rounds and the
ratio of the medians: these hold on a noisy machine, wall times alone do not.
"""
