"""What the tours in Python have in common: they announce what they call next, see announcements.ts."""

import urllib.request


def caller(announce_to, outcome_of, refusal_of):
    """A function that announces a call and what came of it, and gives what it makes, or None where it is refused."""

    def announce(what, said):
        request = urllib.request.Request(f"{announce_to}/{what}", said.encode(), method="POST")
        urllib.request.urlopen(request, timeout=320).read()

    def call(name, run):
        announce("begin", name)
        try:
            made = run()
            outcome = outcome_of(made)
        except Exception as error:
            made, outcome = None, refusal_of(error)
        announce("end", outcome)
        return made

    return call


def sdk_caller(announce_to):
    """The same, with openstacksdk's own names for refusals."""
    return caller(announce_to, lambda made: "ok" if made is not None else "nothing", lambda error: type(error).__name__)


def listed(generator):
    return [one.id for one in generator]
