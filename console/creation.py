"""What an environment shall be made of: template, hosts, variables; and the command that asks for it. No I/O.

The hosts are the variable ``hosts``; detectors follow from them, unless the core does not say whose they are.
Variables: form.py. Whether it would work: preflight.py. What of it is kept on disk: draft.py.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

from console.form import Form, detector_of
from console.form_fields import chosen, listed
from console.present import drained

if TYPE_CHECKING:
    from console.store import Store
    from server.api.model import Host
    from server.api.replies import RepoListing, TemplateListing, VariableSpec

HOSTS, DETECTORS = "hosts", "detectors"


class Reference(NamedTuple):
    """Which template, in all its parts; empty parts are the core's defaults."""

    repo: str = ""
    template: str = ""
    revision: str = ""

    @property
    def full(self) -> str:
        """As the core names it."""
        path = f"{self.repo}/workflows/{self.template}" if self.repo else self.template
        return f"{path}@{self.revision}" if self.revision else path

    def short(self, repos: RepoListing | None) -> str:
        """Return the shortest name under which the core finds the same."""
        for repo in repos.repos if repos else ():
            if repo.name == self.repo:
                revision = "" if self.revision == repo.default_revision else f"@{self.revision}"
                return (
                    self.template + revision if repo.is_default else f"{self.repo}/workflows/{self.template}{revision}"
                )
        return self.full


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is to choose from, as the picture shows it."""

    hosts: Mapping[str, Host] = field(default_factory=dict)
    """Those that are known."""
    detectors: tuple[str, ...] = ()
    taken: Mapping[str, str] = field(default_factory=dict)
    """Detectors in use, each with the environment that has it, "" if that is not known."""
    is_inventory: bool = True
    """The hosts are all that there are. A core that is polled only names those where tasks run."""

    @classmethod
    def of(cls, store: Store, *, is_advisory: bool = False) -> Self:
        """Return what the picture shows.

        Args:
            is_advisory: it comes from a core that does not tell all.
        """
        core = store.core
        taken = dict.fromkeys(core.active_detectors if core else (), "")
        for environment in store.environments():
            taken |= dict.fromkeys(environment.detectors, environment.id)
        hosts = dict(sorted(store.hosts.items()))
        named = {host.detector for host in hosts.values() if host.detector} | set(core.detectors if core else ())
        return cls(hosts, tuple(sorted(named)), taken, bool(hosts) and not is_advisory)

    def detector(self, host: str) -> str:
        """Return the detector of a host, "" if it has none or that is not known."""
        known = self.hosts.get(host)
        return known.detector if known else ""

    def refusal(self, host: str) -> str:
        """Say why a host cannot be taken, "" if it can."""
        known = self.hosts.get(host)
        if known and known.drain:
            return f"{host} is drained {drained(known.drain)}"
        return self.detector_refusal(self.detector(host))

    def detector_refusal(self, detector: str) -> str:
        """Say why a detector cannot be taken, "" if it can."""
        if detector not in self.taken:
            return ""
        user = self.taken[detector]
        return f"{detector} is in use by {user}" if user else f"{detector} is in use"


class Creation:
    """One environment to be made. Widgets read it while they paint and change it by its methods."""

    def __init__(self) -> None:
        self.reference = Reference()
        self.description = ""
        """Of the template."""
        self.form = Form()
        self.name = ""
        """What the core is asked for: the reference, or a shorter name for the same."""
        self.is_known = False
        """The variables of the chosen template are known: after a draft they may not be, for want of a core."""
        self._specs: tuple[VariableSpec, ...] = ()
        self._seen: tuple[tuple[str, str], Surroundings, tuple[str, ...]] | None = None
        """Detectors that were found before, and for what: they are asked for with every line that is drawn."""
        self._others: dict[str, Form] = {}
        """Forms of templates that were chosen before, by full name: coming back finds what was typed."""

    # ---- template ----------------------------------------------------------------------------

    @property
    def is_chosen(self) -> bool:
        return bool(self.reference.template)

    def choose(self, listing: TemplateListing, repos: RepoListing | None = None) -> None:
        """Choose a template. What was typed is kept as far as the template offers the same variables."""
        reference = Reference(listing.repo, listing.template, listing.revision)
        if reference != self.reference:
            if self.is_chosen:
                self._others[self.reference.full] = self.form
            known = self._others.get(reference.full)
            self.form = Form(listing.variables, known.changed if known else self._carried(listing.variables))
        elif listing.variables != self._specs:
            self.form = Form(listing.variables, self.form.changed)
        self.reference, self.description, self._specs = reference, listing.description, listing.variables
        self.name = reference.short(repos)
        self.is_known = True

    def restore(self, reference: Reference, changed: Mapping[str, str]) -> None:
        """Take what a draft says; the variables become known when the template is chosen again."""
        self.reference, self.name, self.description, self._specs = reference, reference.full, "", ()
        self.form = Form((), changed)
        self.is_known = False

    def _carried(self, specs: Iterable[VariableSpec]) -> dict[str, str]:
        offered = {spec.name for spec in specs} | {HOSTS}
        return {name: text for name, text in self.form.changed.items() if name in offered}

    # ---- hosts and detectors -----------------------------------------------------------------

    @property
    def default_hosts(self) -> tuple[str, ...]:
        """The hosts that the template names itself."""
        return chosen(self.form.field(HOSTS).default)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that take part, in their order."""
        return chosen(self.form.value(HOSTS))

    @property
    def named_detectors(self) -> tuple[str, ...]:
        """Detectors that were named instead of following from the hosts."""
        return chosen(self.form.changed.get(DETECTORS, ""))

    def detectors(self, around: Surroundings) -> tuple[str, ...]:
        """Return the detectors that take part."""
        texts = (self.form.value(HOSTS), self.form.changed.get(DETECTORS, ""))
        if self._seen is None or self._seen[0] != texts or self._seen[1] is not around:
            of_hosts = {around.detector(host) for host in chosen(texts[0])} - {""}
            self._seen = (texts, around, tuple(sorted(of_hosts | set(chosen(texts[1])))))
        return self._seen[2]

    def set_hosts(self, hosts: Iterable[str]) -> None:
        """Choose the hosts; those of the template keep its order and come first, the others are sorted."""
        wanted = dict.fromkeys(one.strip() for one in hosts if one.strip())
        first = [one for one in self.default_hosts if one in wanted]
        self.form.set(HOSTS, listed((*first, *sorted(one for one in wanted if one not in first))))
        if not wanted and not self.form.is_offered(HOSTS):
            self.form.reset(HOSTS)

    def type_hosts(self, text: str) -> str:
        """Take hosts as typed, separated by commas or blanks or as a list; say what is wrong, "" if nothing is."""
        text = text.strip()
        if text.startswith("["):
            hosts = chosen(text)
            if not hosts and text.replace(" ", "") != "[]":
                return 'hosts: no list ["flp001", "flp002"]'
        else:
            hosts = tuple(text.replace(",", " ").split())
        if odd := [one for one in hosts if not one.isprintable() or any(sign in one for sign in "\"'[]{} ")]:
            return f"hosts: {odd[0]!r} is no name of a host"
        self.set_hosts(hosts)
        return ""

    def toggle_host(self, host: str, around: Surroundings) -> str:
        """Take a host or leave it out; say why not, "" if it was done."""
        hosts = self.hosts
        if host not in hosts and (why_not := around.refusal(host)):
            return why_not
        self.set_hosts(one for one in (*hosts, host) if one != host or host not in hosts)
        return ""

    def toggle_hosts(self, hosts: Iterable[str], around: Surroundings) -> str:
        """Take all of these that are free, or leave all out if all free ones are taken; say which were not free."""
        wanted = list(hosts)
        free = [host for host in wanted if not around.refusal(host)]
        before = self.hosts
        if any(host not in before for host in free):
            self.set_hosts((*before, *free))
        else:
            self.set_hosts(host for host in before if host not in wanted)
        refused = dict.fromkeys(why for host in wanted if host not in before and (why := around.refusal(host)))
        return "; ".join(refused)

    def toggle_detector(self, detector: str, around: Surroundings) -> str:
        """Take a detector with all its hosts but drained ones, or leave it out; say why not, "" if it was done."""
        every = [name for name, host in around.hosts.items() if host.detector == detector]
        hosts = [name for name in every if name in self.hosts or not around.hosts[name].drain]
        if every and not hosts:
            return f"{detector} is drained: no task can be placed on {', '.join(every)}"
        is_in = detector in self.detectors(around)
        if not is_in and (why_not := around.detector_refusal(detector)):
            return why_not
        if hosts:
            if is_in and any(host not in self.hosts for host in hosts) and not around.detector_refusal(detector):
                is_in = False  # a part of it: take all
            before = self.hosts
            self.set_hosts([one for one in before if one not in hosts] if is_in else [*before, *hosts])
            return ""
        named = set(self.named_detectors) ^ {detector}
        if named:
            self.form.set(DETECTORS, listed(tuple(sorted(named))))
        else:
            self.form.reset(DETECTORS)
        return ""

    def is_foreign(self, name: str, around: Surroundings) -> bool:
        """Say whether a variable belongs to a detector that does not take part."""
        taking_part = self.detectors(around)
        if not taking_part or name in self.form.changed:
            return False
        detector = detector_of(name, around.detectors)
        return bool(detector) and detector not in taking_part

    # ---- the command -------------------------------------------------------------------------

    def words(self, verb: str = "create") -> list[str]:
        """Return the verb with its arguments, as the command line takes them; "plan" only shows what would be made."""
        words = ["env", verb, self.name]
        for name, text in self.form.changed.items():
            if name in (HOSTS, DETECTORS) and (names := chosen(text)) and not any("," in one for one in names):
                words += [f"--{name}", ",".join(names)]
            else:
                words += ["-e", assignment(name, text)]
        return words

    def command(self) -> str:
        """Return the line for a shell that does the same."""
        return shlex.join(["aliecs", *self.words()])


def assignment(name: str, text: str) -> str:
    """Return a variable as ``-e`` reads it back: k=v, or JSON where that would be read otherwise."""
    is_plain = text == text.strip() and not ("," in text and "=" in text) and not name.startswith("{")
    return f"{name}={text}" if is_plain else json.dumps({name: text}, ensure_ascii=False)
