"""A fake core with templates to create from: listings by repository and revision, an inventory of hosts, detectors in use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from fake_core import Context, FakeCore
from form_world import spec

from server.api import o2control_pb2 as pb
from server.api.model import Core, Host
from server.api.replies import TemplateListing, VariableSpec

REPO = "github.com/A/Workflows"
OTHER = "github.com/B/Tests"

SPECS = (
    spec("hosts", default='["flp001","flp002"]', type="list", panel="General", label="Readout hosts", rows=2),
    spec("run_type", default="TECHNICAL", widget="dropDownBox", panel="General", label="Run type", order=1,
         description="What the run is for", allowed=("TECHNICAL", "SYNTHETIC", "COSMICS", "PHYSICS")),
    spec("expert", default="false", type="bool", widget="checkBox", panel="General", label="Expert settings", order=2),
    spec("beam", default="cosmic", widget="comboBox", panel="General", label="Beam", order=3, allowed=("pp", "PbPb", "cosmic")),
    spec("mode", default="fast", widget="radioButtonBox", panel="Data", label="Mode", allowed=("fast", "full"), order=1),
    spec("rate_hz", default="50", type="number", widget="slider", panel="Data", label="Message rate", order=2,
         allowed=("0", "100")),
    spec("parts", default='["a"]', type="list", widget="listBox", panel="Data", label="Parts", allowed=("a", "b", "c"), order=3),
    spec("size", default="65536", type="number", panel="Data", label="Message size", order=4,
         description="Bytes of each message", visible_if='$$expert === "true"'),
    spec("limit", default="10", type="number", panel="Data", label="Limit", order=5, enabled_if='$$mode === "full"'),
    spec("notes", default="", panel="Data", label="Notes", rows=4, order=6),
    spec("strange", default="", panel="Data", label="Strange", order=7, visible_if="window.alert()"),
    spec("its_qc", default="none", widget="dropDownBox", panel="Quality_Control", label="ITS checks", allowed=("none", "fast")),
    spec("tpc_qc", default="fast", widget="dropDownBox", panel="Quality_Control", label="TPC checks", allowed=("none", "fast")),
)  # fmt: skip
"""One variable of every kind."""


class TemplateCore(FakeCore):
    """Everything a test may want to bend is an attribute here too."""

    def __init__(self, specs: Sequence[VariableSpec] = SPECS) -> None:
        super().__init__()
        self.listings = [
            TemplateListing(REPO, "readout-demo", "main", "Readout of simulated hosts", tuple(specs)),
            TemplateListing(
                REPO, "calibration", "main", "A short calibration", (spec("length", type="number", default="3"),)
            ),
            TemplateListing(REPO, "readout-demo", "v1.0", "The older one", tuple(specs)),
            TemplateListing(OTHER, "loopback", "master", "Nothing but a loop", ()),
        ]
        self.things = [one for one in self.things if not isinstance(one, Host | Core)]
        self.things += [
            Core(instance="fake", version="1.2.3", framework_id="local-fake", detectors=("ITS", "TOF", "TPC"), state="CONNECTED"),
            *(
                Host(name=f"flp{number:03}", address="127.0.0.1", detector=detector, executor_state="ATTACHED")
                for number, detector in enumerate(("ITS", "TPC", "TPC", "TPC", "TOF"), 1)
            ),
            Host(name="qc01", address="127.0.0.1"),
        ]  # fmt: skip

    async def ListRepos(self, request: Any, context: Context) -> pb.ListReposReply:
        await self._called("ListRepos", request, context)
        return pb.ListReposReply(
            repos=[
                pb.RepoInfo(name=REPO, default=True, defaultRevision="main", revisions=["main", "v1.0"]),
                pb.RepoInfo(name=OTHER, defaultRevision="master", revisions=["master"]),
            ],
            globalDefaultRevision="main",
        )

    async def GetWorkflowTemplates(self, request: Any, context: Context) -> pb.GetWorkflowTemplatesReply:
        await self._called("GetWorkflowTemplates", request, context)
        return pb.GetWorkflowTemplatesReply(workflowTemplates=list(self._found(request)))

    def _found(self, request: Any) -> Iterable[pb.WorkflowTemplateInfo]:
        defaults = {REPO: "main", OTHER: "master"}
        for one in self.listings:
            if not fnmatchcase(one.repo, request.repoPattern or "*"):
                continue
            if fnmatchcase(one.revision, request.revisionPattern or defaults[one.repo]):
                yield listed(one)


def listed(one: TemplateListing) -> pb.WorkflowTemplateInfo:
    """Return a template as the core lists it."""
    kind = pb.VarSpecMessage
    return pb.WorkflowTemplateInfo(
        repo=one.repo, template=one.template, revision=one.revision, description=one.description,
        varSpecMap={
            it.name: kind(
                defaultValue=it.default, type=kind.Type.Value(it.type), label=it.label, description=it.description,
                widget=kind.UiWidget.Value(it.widget), panel=it.panel, allowedValues=it.allowed, index=it.order,
                visibleIf=it.visible_if, enabledIf=it.enabled_if, rows=it.rows,
            )
            for it in one.variables
        },
    )  # fmt: skip
