"""Dask's workers, of this machine and of a scheduler of others, give what one process gives."""

import os
import signal
import sys
import threading
import time

import pytest

from scripts.kill import workers
from testbed.engine import EngineError, run
from testbed.engine.names import Engine
from testbed.engine.parcels import Parcel
from tests.heavy_job import ITEMS, kept, same
from tests.thorough import thorough


def test_dask_gives_what_one_process_gives_and_unpacks_a_job_once(heavy, capfd):
    found = dict(run(heavy, ITEMS, workers=2, engine=Engine.parse("dask")))
    same(found, dict(run(heavy, ITEMS)))
    assert 1 <= len(kept(heavy)) <= 2
    said = capfd.readouterr().err
    assert "Dask: 2 workers at tcp://127.0.0.1" in said
    assert "dashboard http://" in said
    assert "Traceback" not in said


@thorough
def test_a_dask_worker_that_dies_costs_its_item_a_retry_then_a_failure(heavy, capfd):
    items = ["die once", "a", "bb", "ccc", "slow", "a", "bb", "die"]
    found = dict(run(heavy, items, workers=2, engine=Engine.parse("dask")))
    assert found.pop(7).error_type == "WorkerDied"
    same(found, dict(run(heavy, items[:-1])))
    assert "Traceback" not in capfd.readouterr().err


@thorough
def test_a_scheduler_of_others_serves_and_is_left_as_it_was(heavy, tmp_path):
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        engine = Engine.parse(f"dask://{address.removeprefix('tcp://')}")
        same(dict(run(heavy, ITEMS, engine=engine)), dict(run(heavy, ITEMS)))
        with Client(address) as client:
            assert client.submit(len, "abc").result() == 3
            assert not any(client.run(_parcels).values())


def _parcels():
    from testbed.engine import parcels

    return {**parcels._arrived, **parcels._opened}


@pytest.mark.parametrize("deaths", [1, 99])
def test_a_worker_that_dies_while_the_job_is_sent_does_not_end_the_run(deaths, monkeypatch):
    from distributed.comm import CommClosedError

    from testbed.engine import dask_run

    told = []

    class Dying:
        def register_plugin(self, plugin):
            told.append(plugin)
            if len(told) <= deaths:
                raise CommClosedError("Stream is closed")

        def unregister_worker_plugin(self, name):
            told.clear()

    monkeypatch.setattr(dask_run.time, "sleep", lambda seconds: None)
    sent = dask_run._sent(Dying(), Parcel.of(len), ())
    if deaths == 1:
        with sent:
            assert len(told) == 2
        assert not told
        return
    with pytest.raises(EngineError, match=r"Stream is closed.*run the same command to go on"), sent:
        pass
    assert len(told) == dask_run.TRIES


@thorough
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_a_worker_that_dies_while_it_starts_costs_another_start(heavy, monkeypatch):
    mark, killed = f"{os.getpid()}-start", []
    monkeypatch.setenv("KILL_TRIAL", mark)

    def kill():
        while not (found := workers(mark)):
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(found[0], signal.SIGKILL)
        killed.append(found[0])

    threading.Thread(target=kill, daemon=True).start()
    found = dict(run(heavy, ITEMS, workers=2, engine=Engine.parse("dask")))
    same(found, dict(run(heavy, ITEMS)))
    assert killed
    assert not workers(mark)
