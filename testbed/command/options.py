"""The options that several commands share, as types of their parameters; each has one name.

``--scores`` reads a table or a store of scores, ``--store`` names the file that is written,
``--out`` and ``--format`` say where else results go, and how.
"""

from pathlib import Path
from typing import Annotated

import typer

from testbed.images.names import FORMS, NAMES, SPLITS
from testbed.spaces import registry

__all__ = [
    "ARCHS_HELP", "CELLS_HELP", "CHANNELS_HELP", "MOST_WORKERS", "SCORES", "TABLE_FORMATS",
    "Archive", "Archs", "Assignments", "Combine", "DataRoot", "Device", "Download", "EngineOption",
    "Factory", "Hp", "ImageSetName", "NetworkList", "OwnAttacks", "OwnNetworks",
    "PopulationOption", "Proxies", "RetryFailed", "Scores", "Seeds", "ShardOption", "Show",
    "Space", "Split", "Store", "TableFormat", "Targets", "Threads", "TimeLimit", "Truth",
    "TruthImages", "TruthWhere", "Weights", "Where", "Workers",
]  # fmt: skip

MOST_WORKERS = 1024
ARCHS_HELP = registry.get(registry.DEFAULT).words

ImageSetName = Annotated[
    str,
    typer.Option(
        "--images",
        help=f"{', '.join(NAMES)}; or your own: {', '.join(FORMS)}, with options behind a question "
        "mark, 'folder:pets?size=32'.",
    ),
]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the image set.", show_default=False)]
Download = Annotated[
    bool, typer.Option("--download", help="Download the image set if it is not there.")
]
Split = Annotated[str, typer.Option(help=" or ".join(SPLITS))]

Weights = Annotated[Path | None, typer.Option(help="Folder that train wrote.", show_default=False)]
Archive = Annotated[
    Path | None, typer.Option(help="NATS-Bench or NAS-Bench-201 archive.", show_default=False)
]
Hp = Annotated[
    str | None,
    typer.Option(
        help="Epochs of a NATS-Bench archive's training: 12 or 200; of the size space 01, 12 or "
        "90. The most if not given.",
        show_default=False,
    ),
]
OwnNetworks = Annotated[
    list[str] | None,
    typer.Option(
        help="module:function that returns a network of yours, with arguments perhaps, "
        "'module:function(depth=3)'; or timm:NAME, 'timm:NAME(pretrained=True)'. May be repeated.",
        show_default=False,
    ),
]
NetworkList = Annotated[
    Path | None,
    typer.Option("--networks", help="File of such names, one a line.", show_default=False),
]
Factory = Annotated[
    str | None,
    typer.Option(
        "--factory",
        help="module:function of yours that takes a name of --networks, whatever it is, and "
        "returns the network.",
        show_default=False,
    ),
]
Archs = Annotated[
    str | None,
    typer.Option(
        help=f"{ARCHS_HELP}. Of another --space: sample:N, spread:N, names, numbers if any. "
        "If not given, sample:24 of random networks, all trained ones.",
        show_default=False,
    ),
]
# One text for all commands: what a size is called differs from space to space.
CHANNELS_HELP = (
    "Width C: channels of the first stage (NAS-Bench-201), of a node of the first cells (DARTS). "
    "Those of the size space are in its names."
)
CELLS_HELP = (
    "Depth: cells in a stage (NAS-Bench-201), in all (DARTS); there is no choice in the size space."
)
Space = Annotated[
    str | None,
    typer.Option(
        "--space",
        help=f"Search space: {', '.join(registry.names())}, or module:class of your own; what the "
        "names of the networks say, else nasbench201, if not given.",
        show_default=False,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        help="Of the weights: 0,1,2 or 0-9; 0, or an archive's 777, if not given.",
        show_default=False,
    ),
]

Truth = Annotated[
    Path,
    typer.Option(
        help="Folder of the truth (meta.json), NAS-RobBench-201's JSON file, Tiny-RobustBench's "
        "folder, NARes' .jsonl, a NATS-Bench archive, your own results (.sqlite), or a table "
        "(.csv, .parquet) of network, target and accuracy.",
        show_default=False,
    ),
]
TruthWhere = Annotated[
    str | None,
    typer.Option(
        "--truth-where",
        help="Which results of a store or a table are the truth: init=trained,seed=0; keys are "
        "init, seed, and settings such as count, mode or recipe.epochs.",
        show_default=False,
    ),
]
TruthImages = Annotated[
    str,
    typer.Option(
        "--images",
        "--dataset",
        help="Data set of the truth's accuracies; your own images by folder:PATH and the like, or "
        "by the name in tables.",
    ),
]
SCORES = ("--scores", "--store")
Scores = Annotated[
    Path | None,
    typer.Option(
        *SCORES,
        help="Table or store of scores: .sqlite, .parquet or .csv, or NAS-Bench-Suite-Zero's "
        "zc_nasbench201.json. The package's own (random networks, CIFAR-10) if not given.",
        show_default=False,
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        help="Which scores count: images=digits,init=random; keys are images, init, seed and "
        "settings such as batch_norm or cells.",
        show_default=False,
    ),
]
PopulationOption = Annotated[
    str | None,
    typer.Option(
        "--population",
        help="A second population beside the whole one, chosen by targets: 'clean > .9' (also >=, "
        "<, <=; several that all hold, separated by commas); all for none.",
        show_default=False,
    ),
]
Combine = Annotated[
    list[str] | None,
    typer.Option(
        "--combine",
        help="A score made of others: 'az=log_ranks(zen,2*snip,-flops)' (sum of log rank/m), ranks "
        "(their mean), values, or 'f=forest(zen,params; target=pgd@1, n=172, seed=0)', fitted to "
        "other networks than it predicts; may be repeated.",
        show_default=False,
    ),
]
Proxies = Annotated[
    str | None,
    typer.Option(
        help="Names, or groups as compute has them, separated by commas. All if not given, but for "
        "those that would leave less than half of the networks to rank.",
        show_default=False,
    ),
]
Targets = Annotated[
    str | None,
    typer.Option(
        help="Names, separated by commas: clean, fgsm@1 (ε in units of 1/255), fog@3 "
        "(severity), 'mean corruption', 'mean adversarial'; or all. "
        "Clean, all attacks (a selection of many) and mean corruption if not given.",
        show_default=False,
    ),
]

Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="A setting of an attack, square.queries=200 or pgd.step_divisor=30; may be "
        "repeated. A wrong name lists those there are.",
        show_default=False,
    ),
]
OwnAttacks = Annotated[
    list[str] | None,
    typer.Option(
        "--attack",
        help="module:attribute, the AttackRecord of an attack of your own; may be repeated.",
        show_default=False,
    ),
]

ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="K/N: only every N-th network from the K-th on, into a store of its own beside "
        "--store; `store merge` joins them.",
        show_default=False,
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        help="Seconds that an item may take: a network's scores, a network under one measure on "
        "--batch-size images, a training. Then its worker process is ended, it has failed, and the "
        "others go on. None if not given.",
        show_default=False,
    ),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Take up again what failed in an earlier run.")
]
Store = Annotated[
    Path | None,
    typer.Option(
        help="SQLite file of results; runs/<images>.sqlite if not given, so that those of "
        "different image sets do not meet.",
        show_default=False,
    ),
]
TABLE_FORMATS = ("csv", "parquet")
TableFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help=f"{' or '.join(TABLE_FORMATS)}; by the ending of --out if not given.",
        show_default=False,
    ),
]
Show = Annotated[int, typer.Option(help="Networks in the final table.", min=0)]

Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes; all cores if not given.", min=1, max=MOST_WORKERS, show_default=False
    ),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Who computes: serial, processes (of this machine), dask (the same by Dask), "
        "dask://ADDRESS (a scheduler of yours), slurm:FILE.yaml (jobs of a cluster, see "
        "docs/cluster.md). Serial with one worker, processes with more, if not given; a crash of "
        "native code ends a serial run, and costs processes (--workers 1, too) one item.",
        show_default=False,
    ),
]
Threads = Annotated[int, typer.Option(help="Of each process.", min=1, max=1024)]
