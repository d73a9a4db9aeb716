"""A hundred and more typical mistakes at the command line: each gets one helpful line and exit 2.

Nothing is printed, nothing is written and no work is begun before a mistake is found.
"""

import shlex
import shutil
from pathlib import Path

import pytest
from rich.progress import Progress
from typer.testing import CliRunner

from testbed import engine
from testbed.command.main import app
from tests.archive_writer import write_nats
from tests.score_frames import frame, score_rows
from tests.test_images import write_cifar10
from tests.truth_folder import write_truth

BEFORE = Path(__file__).parent / "data" / "before"
NETWORKS = """
import torch
from torch import nn

class Odd(nn.Module):
    def forward(self, images):
        raise RuntimeError("no such layer")

def good():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

def three():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))

def coloured():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 10))

def unseeded(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
def odd(): return Odd()
def nothing(): return None
def wants(argument): return good()
def falls(): raise OSError("no checkpoint")
number = 5
"""

# command → (what follows it, what the line says). Paths are those of `place`.
MISTAKES = {
    "": [
        ("trian", "unknown command trian (did you mean 'train'?)"),
        ("correlation", "did you mean 'correlate'?"),
        ("--verison", "did you mean --version?"),
    ],
    "train": [
        ("--space size --archs 0 --channels 8", "have no channels to choose"),
        ("--space size --archs 0 --cells 2", "have no cells to choose"),
        ("--preset tinny", "unknown --preset 'tinny' (did you mean 'tiny'?)"),
        ("--preset ''", "expected tiny, tiny-fgsm, tiny-pgd, small, paper"),
        ("--epoch 3", "did you mean --epochs?"),
        ("--epochs ten", "got 'ten'"),
        ("--epochs 0", "epochs"),
        ("--epochs -3", "epochs"),
        ("--epochs 2.5", "got '2.5'"),
        ("--epochs", "requires an argument"),
        ("--channels 0", "channels"),
        ("--channels 100000000", "channels"),
        ("--cells 0", "cells"),
        ("--cells 10000000", "cells"),
        ("--batch-size 0", "batch_size"),
        ("--batch-size 100000000", "batch_size"),
        ("--lr 0", "lr"),
        ("--lr nan", "lr"),
        ("--lr inf", "lr"),
        ("--momentum 1", "momentum"),
        ("--momentum nan", "momentum"),
        ("--weight-decay -1", "weight_decay"),
        ("--weight-decay inf", "weight_decay"),
        ("--flip 50", "flip"),
        ("--padding -1", "padding"),
        ("--padding 100000", "padding"),
        ("--seeds one", "seeds are whole numbers such as 0,1,2 or 0-9; got 'one'"),
        ("--seeds -1", "seeds are whole numbers"),
        ("--seeds 5-2", "seeds"),
        ("--seeds 0.5", "seeds are whole numbers"),
        ("--seeds 0-1000000000", "at most 1,000,000 seeds"),
        ("--seeds 99999999999999999999", "seeds"),
        ("--archs sample", "cannot read 'sample' as architectures"),
        ("--archs sample:0", "1 to 6466 architectures; got 0"),
        ("--archs sample:7000", "1 to 6466 architectures; got 7000"),
        ("--archs spread:many", "expected spread:N or spread:N:SEED"),
        ("--archs samples:24", "did you mean"),
        ("--archs uniqe", "did you mean"),
        ("--archs 15625", "outside the space"),
        ("--archs 9-3", "runs backwards"),
        ("--archs ''", "architectures"),
        ("--archs '|nor_conv_3x3~0|'", "not an architecture string"),
        ("--archs '(1, 2, 3)'", "six"),
        ("--archs '(4, 0, 3, 1, 4, 9)'", "operation"),
        ("--archs missing.txt", "there is no such file"),
        ("--archs empty.txt", "empty.txt names no architecture"),
        ("--archs words.txt", "words.txt, line 1"),
        ("--archs picture.png", "cannot read architectures from picture.png"),
        ("--archs folder", "folder"),
        ("--images cifar", "(did you mean 'cifar10'?)"),
        ("--images CIFAR-10", "(did you mean 'cifar10'?)"),
        ("--images cifar10 --data-root nowhere", "nowhere"),
        ("--images cifar10 --data-root empty", "cifar-10-batches-py"),
        ("--images cifar10 --data-root notes.txt", "notes.txt"),
        ("--data-root empty", "--data-root empty would be ignored"),
        ("--out notes.txt", "notes.txt"),
        ("--out notes.txt/weights", "notes.txt"),
        ("--out weights", "trained otherwise"),
        ("--device cuda:77", "cannot be used here"),
        ("--device gpu", "cannot be used here"),
        ("--workers 0", "--workers: "),
        ("--workers two", "--workers"),
        ("--workers 1000000", "--workers"),
        ("--threads 100000", "--threads"),
        ("--show -1", "--show"),
        ("11", "unexpected extra argument"),
    ],
    "compute": [
        ("--space size --archs 0 --channels 8", "have no channels to choose"),
        ("--space size --archs 0 --cells 2", "have no cells to choose"),
        ("--init trainde", "unknown --init 'trainde' (did you mean 'trained'?)"),
        ("--init trained", "--init trained needs --weights"),
        ("--init trained --weights nowhere", "there is no folder nowhere"),
        ("--init trained --weights notes.txt", "notes.txt"),
        ("--init trained --weights empty", "empty"),
        ("--init trained --weights weights --archs 11", "11"),
        ("--init trained --weights weights --seeds 5", "seed"),
        ("--init trained --weights weights --cells 3", "--cells would be ignored"),
        ("--init trained --archive nats", "--archive"),
        ("--weights weights", "--weights"),
        ("--archive nats", "--archive"),
        ("--init pretrained", "--archive"),
        ("--init pretrained --archive nowhere --images cifar10 --data-root cifar", "nowhere"),
        ("--init pretrained --archive nats", "no network of digits"),
        ("--hp 12", "--hp would be ignored"),
        ("--network net", "module:function"),
        ("--network net.py:good", "net:good"),
        ("--network nte:good", "nte"),
        ("--network net:god", "did you mean"),
        ("--network net:number", "number"),
        ("--network net:nothing", "returned NoneType; expected a torch.nn.Module"),
        ("--network net:wants", "argument"),
        ("--network net:falls", "no checkpoint"),
        ("--network net:odd", "no such layer"),
        ("--network net:three", "expected logits (4, 10)"),
        ("--network net:unseeded", "other weights at every call"),
        ("--network net:coloured", "does not take the images of digits"),
        ("--network net:good --archs 11", "--archs"),
        ("--network net:good --seeds 1", "--seeds"),
        ("--network net:good --channels 4", "--channels would be ignored"),
        ("--proxies jacobian-norm", "(did you mean 'jacobian_norm'?)"),
        ("--proxies jacobi", "unknown proxy 'jacobi'"),
        ("--proxies ,", "no proxy was named"),
        ("--proxies jacobian_norm:hessian_input", "unknown proxy"),
        ("--set projections=3", "a setting is given as"),
        ("--set jacobian_projection.projection=3 --proxies jacobian_projection", "did you mean"),
        ("--set jacobian_projection.projections=0 --proxies jacobian_projection", "at least one"),
        ("--set jacobian_projection.projections=x --proxies jacobian_projection", "a whole number"),
        ("--set jacobian_projection.projections=3", "would be ignored"),
        ("--set hessian_input.tolerance=nan", "tolerance is a finite number; got 'nan'"),
        ("--set hessian_input.tolerance=-1", "above 0 and below 1"),
        ("--set hessian_input.which=smallest", "which is one of"),
        ("--set hessian_input.method=exakt", "unknown method 'exakt'"),
        ("--batch-norm running", "no normalisation at all"),
        ("--batch-norm none", "--batch-norm is calibrated or batch"),
        ("--batch-norm batch", "needs independent samples"),
        ("--batch-size 0", "--batch-size"),
        ("--batch-size 100000", "batch of 100000"),
        ("--batch-seed -1", "--batch-seed"),
        ("--dtype float16", "unknown --dtype 'float16'"),
        ("--dtype double", "expected float32 or float64"),
        ("--channels 100000000", "channels"),
        ("--cells 10000000", "cells"),
        ("--memory-gb 0", "--memory-gb"),
        ("--memory-gb inf", "--memory-gb"),
        ("--memory-gb nan", "--memory-gb"),
        ("--memory-gb 16GB", "--memory-gb"),
        ("--store scores.csv", ".sqlite"),
        ("--store notes.txt", ".sqlite"),
        ("--store text.sqlite", "text.sqlite"),
        ("--store folder.sqlite", "folder.sqlite"),
        ("--store notes.txt/scores.sqlite", "notes.txt"),
        ("--out scores.xls", "--out ends in .csv or .parquet; got scores.xls"),
        ("--out scores", "--out ends in .csv or .parquet"),
        ("--out nowhere/scores.csv", "there is no folder nowhere"),
        ("--out folder.csv", "folder.csv is a folder"),
        ("--out notes.txt/scores.csv", "notes.txt"),
        ("--out s.csv --format parquet", "--out ends in .parquet; got s.csv"),
        ("--format json", "unknown --format 'json'"),
        ("--images digits --download --data-root empty", "would be ignored"),
        ("--device cuda:77 --workers 1", "cannot be used here"),
    ],
    "attack": [
        ("", "--init trained needs --weights FOLDER"),
        ("--weights nowhere", "there is no folder nowhere"),
        ("--weights notes.txt", "notes.txt"),
        ("--init random", "untrained"),
        ("--weights weights --images cifar10 --data-root cifar", "does not take the images"),
        ("--weights weights --archs 3", "3"),
        ("--weights weights --split valid", "unknown split 'valid'"),
        ("--weights weights --count 0", "--count"),
        ("--weights weights --count 100000", "355"),
        ("--weights weights --attacks fsgm", "(did you mean 'fgsm'?)"),
        ("--weights weights --attacks ''", "--attacks are names, all or none; got ''"),
        ("--weights weights --corruptions ''", "--corruptions are names, all or none; got ''"),
        ("--weights weights --attacks fgsm;pgd", "unknown attack"),
        ("--weights weights --attacks cw", "unknown attack 'cw'"),
        ("--weights weights --norm linf2", "unknown norm"),
        ("--weights weights --norm L1", "unknown norm"),
        ("--weights weights --epsilons 8,x", "ε are numbers"),
        ("--weights weights --epsilons 8/256", "8/255"),
        ("--weights weights --epsilons -8", "ε are numbers"),
        ("--weights weights --epsilons nan", "ε are numbers"),
        ("--weights weights --epsilons 1000", "at most 255; got 1000"),
        ("--weights weights --epsilons 8,8", "stands twice"),
        ("--weights weights --epsilons ''", "ε are numbers"),
        ("--weights weights --epsilon 8", "did you mean --epsilons?"),
        ("--weights weights --mode acuracy", "(did you mean 'accuracy'?)"),
        ("--weights weights --descending --mode record", "--mode would be ignored"),
        ("--weights weights --backend orignal", "original"),
        ("--weights weights --set square.querys=5", "did you mean 'queries'?"),
        ("--weights weights --set square.queries=0", "queries"),
        ("--weights weights --set square.queries=many", "a whole number"),
        ("--weights weights --set queries=5", "attack.setting=value"),
        ("--weights weights --set fab-t.steps=5", "would be ignored"),
        ("--weights weights --set pgd.steps=nan", "a whole number"),
        ("--weights weights --set pgd.step_divisor=nan", "a finite number; got 'nan'"),
        ("--weights weights --corruptions fogg", "(did you mean 'fog'?)"),
        ("--weights weights --corruptions fog --corrupted nowhere", "nowhere"),
        ("--weights weights --corruptions fog --corrupted empty", "empty"),
        ("--weights weights --corruptions fog --corrupted notes.txt", "notes.txt"),
        ("--weights weights --corrupted empty", "--corrupted would be ignored"),
        ("--weights weights --attacks none --epsilons 8", "--epsilons would be ignored"),
        ("--weights weights --attacks none --set pgd.steps=3", "--set would be ignored"),
        ("--weights weights --batch-size 0", "--batch-size"),
        ("--weights weights --attack-seed -1", "--attack-seed"),
        ("--weights weights --format xml", "unknown --format 'xml'"),
        ("--weights weights --format csv --out truth.json", "truth.json"),
        ("--weights weights --format csv --out folder.csv", "folder.csv is a folder"),
        ("--weights weights --out nowhere/table.csv", "there is no folder nowhere"),
        ("--weights weights --format robustness-json --out notes.txt", "notes.txt"),
        ("--weights weights --format robustness-json --out notes.txt/t", "notes.txt"),
        ("--weights weights --out results.txt", "results.txt"),
        ("--weights weights --store results.db3", ".sqlite"),
        ("--weights weights --store folder.sqlite", "folder.sqlite"),
        ("--network net:three --attacks fgsm", "expected logits"),
        ("--network net:good --weights weights", "--weights"),
    ],
    "corrupt": [
        ("", "--out is missing: Folder for the arrays"),
        ("--out new --corruptions fogg", "(did you mean 'fog'?)"),
        ("--out new --corruptions ''", "corruptions are all"),
        ("--out new --seed -1", "--seed"),
        ("--out new --split all", "unknown split 'all'"),
        ("--out new --images mnist", "unknown data set 'mnist'"),
        ("--out new --severity 3", "unknown option --severity"),
        ("--out new --images cifar10 --data-root empty", "cifar-10-batches-py"),
        ("--out notes.txt", "notes.txt"),
        ("--out notes.txt/new", "notes.txt"),
        ("--out arrays", "choose another folder"),
    ],
    "correlate": [
        ("", "--truth is missing: Folder of the truth"),
        ("--truth", "requires an argument"),
        ("--truth nowhere", "nowhere"),
        ("--truth empty", "empty"),
        ("--truth notes.txt", "notes.txt"),
        ("--truth broken.json", "broken.json"),
        ("--truth scores.csv", "scores.csv"),
        ("--truth kept.sqlite", "kept.sqlite"),
        ("--truth weights", "weights"),
        ("--truth truth --images cifar100", "cifar10"),
        ("--truth truth --images cifar-10", "cifar10"),
        ("--truth truth --scores nowhere.csv", "nowhere.csv"),
        ("--truth truth --scores empty.csv", "empty.csv"),
        ("--truth truth --scores empty.sqlite", "empty.sqlite"),
        ("--truth truth --scores notes.txt", "notes.txt"),
        ("--truth truth --scores picture.csv", "picture.csv"),
        ("--truth truth --scores columns.csv", "no column network"),
        ("--truth truth --scores wide.csv", "proxy, value; got network, one, two; a column"),
        ("--truth truth --scores folder.csv", "folder.csv"),
        ("--truth truth --scores truth", "truth"),
        ("--truth truth --scores other.csv", "none of the 40 scored networks"),
        ("--truth scores.csv --scores truth", "got truth"),
        ("--truth truth --scores scores.csv --proxies nrom", "did you mean 'norm'?"),
        ("--truth truth --scores scores.csv --targets fsgm@1", "did you mean 'fgsm'?"),
        ("--truth truth --scores scores.csv --targets fgsm@3", "unknown target 'fgsm@3'; known:"),
        ("--truth truth --scores scores.csv --targets fgsm@0.0039", "is fgsm@1 meant?"),
        ("--truth truth --scores scores.csv --targets ''", "no target chosen"),
        ("--truth truth --scores scores.csv --attacks fgsn", "did you mean 'fgsm'?"),
        ("--truth truth --scores scores.csv --seeds a", "seeds are whole numbers"),
        ("--truth truth --scores scores.csv --seeds 7", "7"),
        ("--truth truth --scores scores.csv --where images", "images"),
        ("--truth truth --scores scores.csv --where image=digits", "did you mean 'images'?"),
        ("--truth truth --scores scores.csv --where images=cifar10", "cifar10"),
        ("--truth truth --scores scores.csv --where init=randon", "random"),
        ("--truth truth --scores scores.csv --out table.txt", "--out ends in .csv or .parquet"),
        ("--truth truth --scores scores.csv --out nowhere/t.csv", "there is no folder nowhere"),
        ("--truth truth --scores scores.csv --out folder.csv", "folder.csv is a folder"),
        ("--truth truth --scores scores.csv --out notes.txt/t.csv", "notes.txt"),
        ("--truth truth --scores scores.csv --format csv", "--format csv would be ignored"),
    ],
    "report": [
        ("", "--truth is missing"),
        ("--truth nowhere", "nowhere"),
        ("--truth truth --scores nowhere.csv", "nowhere.csv"),
        ("--truth truth --scores None", "None"),
        ("--truth truth --scores none --proxies norm", "--proxies would be ignored"),
        ("--truth truth --scores scores.csv --targets clean,pgd@1", "unknown target 'pgd@1'"),
        ("--truth truth --scores scores.csv --archs 99999", "outside the space"),
        ("--truth truth --scores scores.csv --search nowhere", "nowhere"),
        ("--truth truth --scores scores.csv --search empty", "empty"),
        ("--truth truth --scores scores.csv --search notes.txt", "notes.txt"),
        ("--truth truth --scores scores.csv --out notes.txt", "notes.txt"),
        ("--truth truth --scores scores.csv --out notes.txt/report", "notes.txt"),
        ("--truth truth --scores scores.csv --out report.html", "report.html"),
        ("--truth truth --scores scores.csv --html", "unknown option --html"),
        ("--truth truth --scores scores.csv --seeds 1-", "seeds are whole numbers"),
    ],
    "search": [
        ("", "give either --truth PATH"),
        ("--truth truth --live --out new", "got both"),
        ("--live", "add --out FOLDER"),
        ("--truth nowhere", "nowhere"),
        ("--truth notes.txt", "notes.txt"),
        ("--truth truth --objective fgsm", "fgsm"),
        ("--truth truth --objective fsgm@1", "did you mean 'fgsm'?"),
        ("--truth truth --objective fgsm@0.0039", "is fgsm@1 meant?"),
        ("--truth truth --objective ''", "no target chosen; known: all, clean"),
        ("--truth truth --algorithm evolutoin", "(did you mean 'evolution'?)"),
        ("--truth truth --algorithm ''", "algorithm"),
        ("--truth truth --queries 0", "--queries"),
        ("--truth truth --queries -5", "--queries"),
        ("--truth truth --runs 0", "--runs"),
        ("--truth truth --seed one", "--seed"),
        ("--truth truth --proxy nrom --scores scores.csv", "did you mean 'norm'?"),
        ("--truth truth --algorithm random --proxy norm --scores scores.csv", "would not look at"),
        ("--truth truth --held-out many", "--held-out are whole numbers"),
        ("--truth truth --format csv", "--format would be ignored"),
        ("--truth truth --out notes.txt", "notes.txt"),
        ("--truth truth --out notes.txt/new", "notes.txt"),
        ("--truth truth --out new --format xlsx", "unknown --format 'xlsx'"),
        ("--truth truth --out new --figures gif", "unknown --figures 'gif'"),
        ("--truth truth --epochs 1", "nothing is trained without --live"),
        ("--live --out new --objective fog@3", "a live objective is clean or an attack"),
        ("--live --out new --objective fgsm", "its ε"),
        ("--live --out new --objective fgsm@300", "at most 255; got 300"),
        ("--live --out new --workers 4", "--live has one worker"),
        ("--live --out new --epochs 0", "epochs"),
        ("--live --out new --images cifar10 --data-root empty", "cifar-10-batches-py"),
        ("--live --out new --held-out 32", "--held-out would be ignored"),
        ("--live --out new --set square.queries=9", "would be ignored"),
        ("--live --out notes.txt", "notes.txt"),
        ("--live --out weights/recipe.json/new", "recipe.json"),
        ("--live --out new --count 100000", "355"),
    ],
    "proxies": [
        ("jacobian_norm", "unexpected extra argument"),
        ("--group hessian", "unknown option --group"),
    ],
    "check-weights": [
        ("", "ARCHIVE is missing: Folder of the archive"),
        ("nowhere", "nowhere"),
        ("empty", "empty"),
        ("notes.txt", "notes.txt"),
        ("weights --data-root cifar", "weights"),
        ("nats --dataset cifar", "unknown --dataset 'cifar' (did you mean"),
        ("nats --data-root empty", "cifar-10-batches-py"),
        ("nats --archs 99999", "outside the space"),
        ("nats --archs 12 --data-root cifar", "12"),
        ("nats --seed 5 --data-root cifar", "5"),
        ("nats --hp 90 --data-root cifar", "90"),
        ("nats --batch-size 0", "--batch-size"),
        ("nats other", "unexpected extra argument"),
    ],
    "doctor": [
        ("--fix", "unknown option --fix"),
        ("now", "unexpected extra argument"),
    ],
}  # fmt: skip
CASES = [
    pytest.param(command, words, said, id=f"{command} {words}".strip())
    for command, cases in MISTAKES.items()
    for words, said in cases
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder of files as users have them, good ones and others."""
    root = tmp_path_factory.mktemp("place")
    shutil.copytree(BEFORE / "weights", root / "weights")
    write_truth(root / "truth")
    write_nats(root / "nats", 11)
    rows = frame(score_rows("norm"))
    rows.to_csv(root / "scores.csv", index=False)
    rows.assign(network=[f"resnet{i}" for i in range(len(rows))]).to_csv(root / "other.csv")
    shutil.copy(BEFORE / "before.db", root / "kept.sqlite")
    for folder in ("empty", "folder", "folder.csv", "folder.sqlite", "arrays"):
        (root / folder).mkdir()
    texts = {
        "notes.txt": "Some notes.\n", "empty.txt": "", "empty.csv": "", "empty.sqlite": "",
        "words.txt": "conv\n", "text.sqlite": "no database, though it is long enough" * 9,
        "wide.csv": "network,one,two\nx,1,2\n",
        "broken.json": '{"ids": ', "columns.csv": "a,b\n1,2\n", "net.py": NETWORKS,
        "report.html": "<html>",
    }  # fmt: skip
    for name, text in texts.items():
        (root / name).write_text(text, encoding="utf-8")
    for name in ("picture.png", "picture.csv", "arrays/fog.npy"):
        (root / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (root / "cifar").mkdir()
    write_cifar10(root / "cifar")
    return root


def there(root):
    return {path: path.is_file() and path.read_bytes() for path in root.rglob("*")}


def begun(*arguments, **options):
    raise AssertionError("work was begun")


@pytest.mark.parametrize(("command", "words", "said"), CASES)
def test_a_mistake_is_one_helpful_line(command, words, said, place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setattr(engine, "run", begun)
    monkeypatch.setattr(Progress, "advance", begun)
    before = there(place)
    # With several workers a user's own networks are looked at in processes, which is slow.
    alone = ["--workers", "1"] if "--network " in words else []
    result = CliRunner().invoke(app, [*([command] if command else []), *shlex.split(words), *alone])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert there(place) == before
