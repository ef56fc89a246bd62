"""Step 1 of a creation: repositories with their revisions, their templates, and what the selected one says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from console.creation import Reference
from console.filters import Fields
from console.tui.painting import Lines, Parts, title_line
from console.tui.shelf import EVERYWHERE, Source
from console.tui.widgets.form_bench import Step, bench_of, inset
from console.tui.widgets.form_prompt import Prompt
from console.tui.widgets.grid import Cell, Column, Grid, ListGrid
from server.api.replies import TemplateListing

if TYPE_CHECKING:
    from console.tui.looks import Styles

WIDE = 90
"""Cells of the list from which more is shown."""


class TemplateStep(Step):
    """Lists templates while they are looked at; what could not be listed is told, and asked for again when possible."""

    DEFAULT_CSS = "TemplateStep #sources { width: 28; margin-right: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "every", "all templates", id="create.every"),
        Binding("i", "type", "type", id="create.type"),
        Binding("ctrl+r", "reload", "list again", show=False, id="create.reload"),
    ]

    def compose(self) -> ComposeResult:
        with Horizontal(classes="lists"):
            yield SourceGrid(id="sources")
            yield TemplateGrid(id="templates")
        yield TemplateDetails(id="template")

    def first(self) -> Widget:
        return self._templates

    @property
    def _templates(self) -> TemplateGrid:
        return self.query_one(TemplateGrid)

    # ---- choosing ----------------------------------------------------------------------------

    @on(Grid.Selected, "#sources")
    def _on_source(self, event: Grid.Selected) -> None:
        event.stop()
        source = self.query_one(SourceGrid).source
        self._templates.show(source)
        shelf = self.bench.shelf
        if shelf.listing(source) is None and not shelf.is_loading(source):
            self._start(self._fetch(source))

    @on(Grid.Opened, "#sources")
    def _on_source_opened(self, event: Grid.Opened) -> None:
        event.stop()
        self._templates.focus()

    @on(Grid.Selected, "#templates")
    def _on_template(self, event: Grid.Selected) -> None:
        event.stop()
        self.query_one(TemplateDetails).repaint()

    @on(Grid.Opened, "#templates")
    def _on_template_opened(self, event: Grid.Opened) -> None:
        event.stop()
        if self.choose():
            self.bench.action_next()

    def choose(self) -> bool:
        """Choose the selected template; False if there is none."""
        listing = self._templates.listing
        if listing is None:
            return False
        self.bench.creation.choose(listing, self.bench.shelf.repos)
        self.bench.changed()
        return True

    # ---- listing -----------------------------------------------------------------------------

    def action_every(self) -> None:
        """List templates that are not public too, or no longer."""
        self.bench.shelf.is_all = not self.bench.shelf.is_all
        self._start(self._fetch(self._templates.source))

    def action_reload(self) -> None:
        """Ask the core again for repositories and templates."""
        self._start(self.load())

    async def load(self) -> None:
        """List the repositories and the selected source, and what the chosen template offers."""
        shelf = self.bench.shelf
        await asyncio.gather(shelf.load_repos(), shelf.load(self._templates.source))
        creation = self.bench.creation
        reference = creation.reference
        if creation.is_chosen and shelf.find(reference) is None:
            await shelf.load(Source(reference.repo, reference.revision), is_all=True)
        found = shelf.find(reference)
        if creation is self.bench.creation and creation.reference == reference:
            if found is not None:
                creation.choose(found, shelf.repos)
            elif creation.is_chosen and not shelf.has_problems:
                self.bench.tell(f"{creation.name} is not listed any more; what was typed is kept for another template")
        self.bench.show()

    def action_type(self) -> None:
        """Type where a template stands."""
        hint = "REVISION, REPOSITORY@REVISION or a full name"
        self.app.push_screen(Prompt("template", "", self._take_source, hint=hint))

    def _take_source(self, text: str) -> str:
        """Take REVISION, REPOSITORY@REVISION or REPOSITORY/workflows/TEMPLATE@REVISION."""
        shelf, grid = self.bench.shelf, self.query_one(SourceGrid)
        path, sign, revision = text.strip().rpartition("@")
        if not sign:
            path, revision = (text.strip(), "") if "/workflows/" in text else ("", text.strip())
        repo, _, template = path.partition("/workflows/")
        repo = repo or grid.source.repo or shelf.default_repo
        known = shelf.repo(repo)
        revision = revision or (known.default_revision if known else "")
        if not repo or not revision or any(letter.isspace() for letter in repo + revision):
            return "write a revision, REPOSITORY@REVISION, or REPOSITORY/workflows/TEMPLATE@REVISION"
        source = Source(repo, revision)
        shelf.add(source)
        grid.unfold(source)
        self._start(self._fetch(source, template.removesuffix(".yaml")))
        return ""

    async def _fetch(self, source: Source, template: str = "") -> None:
        """List a source; with a template choose that one of it."""
        shelf = self.bench.shelf
        await shelf.load(source)
        found = next((one for one in shelf.listing(source) or () if one.template == template), None)
        if found is not None:
            self.bench.creation.choose(found, shelf.repos)
            self.bench.changed()
            self._templates.select(_reference(found).full)
        elif template and not shelf.problem_of(source):
            self.bench.tell(f"no template {template} at {source.repo}@{source.revision}")
        self.bench.show()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self.run_worker(work, group="templates", exit_on_error=False)


class SourceGrid(ListGrid):
    """All templates first, then each repository, unfolded with its revisions."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "revisions", id="create.fold"),
        Binding("right,l,left,h", "fold", "revisions", show=False, id="create.unfold"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._unfolded: set[str] = set()

    @property
    def source(self) -> Source:
        """The selected source."""
        return Source(*self.selected.split("\n")) if "\n" in self.selected else EVERYWHERE

    def unfold(self, source: Source) -> None:
        """Bring a source into sight and select it."""
        self._unfolded.add(source.repo)
        self.reload()
        self.select(_row(source))

    def rows(self) -> Iterable[str]:
        shelf = bench_of(self).shelf
        yield _row(EVERYWHERE)
        for repo in shelf.repos.repos if shelf.repos else ():
            yield _row(Source(repo.name, repo.default_revision))
            if repo.name in self._unfolded:
                for revision in repo.revisions:
                    if revision != repo.default_revision:
                        yield _row(Source(repo.name, revision))
        for source in shelf.added:
            yield _row(source)

    def action_fold(self) -> None:
        """Show or hide the revisions of a repository."""
        repo = self.source.repo
        self._unfolded ^= {repo} if repo else set()
        if repo and repo not in self._unfolded and (known := bench_of(self).shelf.repo(repo)):
            self.select(_row(Source(repo, known.default_revision)))
        self.reload()

    def columns(self, width: int) -> Sequence[Column]:
        return (Column("", 1), Column("REPOSITORY", 0))

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        shelf = bench_of(self).shelf
        source = Source(*row.split("\n"))
        if source == EVERYWHERE:
            return (Cell(""), Cell("all, default revisions", looks.bold))
        known = shelf.repo(source.repo)
        if source in shelf.added:
            return (Cell(looks.glyph("leaf"), looks.dim), Cell(f"{_short(source.repo)} @{source.revision}"))
        if known is None or source.revision != known.default_revision:
            return (Cell(""), Cell(f"  {source.revision}"))
        others = len([one for one in known.revisions if one != known.default_revision])
        sign = "" if not others else looks.glyph("unfolded" if source.repo in self._unfolded else "folded")
        style = looks.bold if known.is_default else looks.text
        return (Cell(sign, looks.accent), Cell(f"{_short(source.repo)} @{source.revision}", style))

    def fields(self, row: str) -> Fields:
        repo, _, revision = row.partition("\n")
        return {"repository": repo, "revision": revision}

    def empty_text(self) -> str:
        return ""


class TemplateGrid(ListGrid):
    """The templates of the selected source; the chosen one is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "choose", id="create.choose")]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.source = EVERYWHERE

    def show(self, source: Source) -> None:
        """Show the templates of a source."""
        self.source = source
        self.reload()

    @property
    def listing(self) -> TemplateListing | None:
        """The selected template."""
        return self._listing(self.selected)

    def rows(self) -> Iterable[str]:
        return (_reference(one).full for one in bench_of(self).shelf.listing(self.source) or ())

    def _listing(self, row: str) -> TemplateListing | None:
        listings = bench_of(self).shelf.listing(self.source) or ()
        return next((one for one in listings if _reference(one).full == row), None)

    def columns(self, width: int) -> Sequence[Column]:
        base = [Column("", 1), Column("TEMPLATE", 24 if width < WIDE else 30)]
        if self.source == EVERYWHERE and width >= WIDE:
            base.append(Column("REVISION", 12))
        return [*base, Column("VARS", 4, True), Column("DESCRIPTION", 0)]

    def cells(self, row: str, columns: Sequence[Column], looks: Styles) -> Sequence[Cell]:
        one = self._listing(row)
        if one is None:
            return [Cell("")] * len(columns)
        is_chosen = _reference(one) == bench_of(self).creation.reference
        by_title = {
            "": Cell(looks.glyph("marked") if is_chosen else "", looks.accent),
            "TEMPLATE": Cell(one.template, looks.bold if is_chosen else looks.text),
            "REVISION": Cell(one.revision, looks.dim),
            "VARS": Cell(str(len(one.variables) or "-"), looks.dim),
            "DESCRIPTION": Cell(one.description, looks.dim),
        }
        return [by_title[column.title] for column in columns]

    def fields(self, row: str) -> Fields:
        one = self._listing(row)
        if one is None:
            return {}
        return {
            "template": one.template,
            "repository": one.repo,
            "revision": one.revision,
            "description": one.description,
        }

    def empty_text(self) -> str:
        shelf = bench_of(self).shelf
        if shelf.is_loading(self.source):
            return "asking the core"
        if shelf.problem_of(self.source):
            return "the templates could not be listed"
        if shelf.listing(self.source) is None:
            return "not listed yet"
        return "no template here" + ("" if shelf.is_all else " that is public; a lists all")


class TemplateDetails(Lines):
    """The selected template in full, or why there is none."""

    DEFAULT_CSS = "TemplateDetails { height: 6; }"

    def lines(self, looks: Styles, width: int, height: int) -> Sequence[Parts]:
        bench = bench_of(self)
        grid = self.screen.query_one(TemplateGrid)
        lines: list[Parts] = []
        for problem in filter(None, dict.fromkeys((bench.shelf.problem_of(grid.source), bench.shelf.problem))):
            sign = looks.glyph("bad")
            lines += inset([(f"{sign} {problem}", looks.alarm)], width)
        if lines:
            lines.append([("   ^r", looks.key), (" asks again; what was typed is kept", looks.text)])
        one = grid.listing
        if one is None:
            return [title_line("Template", "", looks, width), *lines]
        heading = title_line("Template", one.template, looks, width)
        facts: list[Parts] = [
            [(" from  ", looks.dim), (f"{one.repo} @{one.revision}", looks.text)],
            *inset([(one.description or "no description", looks.text)], width),
            *inset([(_contents(one), looks.dim)], width),
        ]
        return [heading, *lines, *facts]


def _contents(one: TemplateListing) -> str:
    if not one.variables:
        return "no variables to set"
    panels = dict.fromkeys(spec.panel.replace("_", " ") for spec in one.variables if spec.panel)
    count = "1 variable" if len(one.variables) == 1 else f"{len(one.variables)} variables"
    return f"{count}: {', '.join(panels)}" if panels else count


def _reference(one: TemplateListing) -> Reference:
    return Reference(one.repo, one.template, one.revision)


def _row(source: Source) -> str:
    return f"{source.repo}\n{source.revision}"


def _short(repo: str) -> str:
    """Return the last part of the name of a repository, which tells them apart."""
    return repo.rstrip("/").rpartition("/")[2] or repo
