"""Mutual information against gmm-mi, the implementation of the method's authors, side by side in one run.

In: the Python of an environment that holds gmm-mi 0.8.2 and scikit-learn 1.5 (gmm-mi does not run on newer ones). Out: a table on
stdout: error against the truth and seconds of both, for the nine one-by-one tasks of "Beyond Normal". Both get the same data and
the same protocol, its defaults: 2 folds, 3 starts, patience 1,
50 resamples. Our seconds include what gmm-mi has not: both margins, the p-value, and the
cross-check. Each runs on one core; ours once more on all cores.

    PYTHONPATH=. python benchmarks/information.py PYTHON [SAMPLES DATA_SETS]
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.oracles.information import TASKS
from triptych.information import Settings, mutual_information

RIVAL = """
import json, sys, time, warnings
import numpy as np
from gmm_mi.mi import EstimateMI
from gmm_mi.param_holders import GMMFitParamHolder, MIDistParamHolder, SelectComponentsParamHolder
warnings.simplefilter("ignore")
for line in sys.stdin:
    data = np.load(line.strip())
    began = time.perf_counter()
    try:
        estimate = EstimateMI(GMMFitParamHolder(), SelectComponentsParamHolder(n_inits=3, n_folds=2, patience=1))
        value, error = estimate.fit_estimate(data["x"], data["y"], mi_dist_params=MIDistParamHolder(n_bootstrap=50))
    except Exception as failure:
        value = error = float("nan")
    print(json.dumps([float(value), float(error), time.perf_counter() - began]), flush=True)
"""
SETTINGS = Settings(folds=2, starts=3, patience=1, bootstraps=50)


def main() -> None:
    if len(sys.argv) < 2:
        print("gmm-mi needs an environment of its own: pip install gmm-mi==0.8.2 scikit-learn==1.5.2, then give its python here")
        return
    samples, sets = (int(word) for word in (sys.argv[2:] or ["1000", "3"]))
    warm = np.random.default_rng(0).normal(size=(2, 200))
    mutual_information(*warm, rng=np.random.default_rng(0), settings=SETTINGS)
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    rows = []
    print(f"{'':50}answers [nats]{'':9}seconds")
    print(
        f"{'task':28} {'truth':>6} {'ours':>12} {'gmm-mi':>12} {'ours':>7} {'all cores':>9} {'gmm-mi':>7} {'ratio':>9}  reliable"
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.argv[1], "-c", RIVAL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=one_core,
            text=True,
        ) as rival,
    ):
        assert rival.stdin is not None
        assert rival.stdout is not None
        path = Path(folder) / "data.npz"
        for task, seed in itertools.product(TASKS, range(sets)):
            x, y = task.draw(samples, np.random.default_rng(seed))
            np.savez(path, x=x, y=y)
            seconds = []
            for threads in (1, None):
                began = time.perf_counter()
                ours = mutual_information(x, y, rng=np.random.default_rng(seed), settings=SETTINGS, threads=threads)
                seconds.append(time.perf_counter() - began)
            rival.stdin.write(f"{path}\n")
            rival.stdin.flush()
            value, error, rival_seconds = json.loads(rival.stdout.readline())
            rows.append((*(rival_seconds / np.array(seconds)), ours.value - task.truth, value - task.truth))
            print(
                f"{task.name:28} {task.truth:6.3f} {ours.estimate!s:>12} {f'{value:.3f}({error:.3f})':>12} {seconds[0]:7.2f}"
                f" {seconds[1]:9.2f} {rival_seconds:7.2f} {rows[-1][0]:9.0f}  {ours.reliable}",
                flush=True,
            )
        rival.stdin.close()
    table = np.array(rows)
    answered = table[np.isfinite(table).all(axis=1)]
    one, all_cores = np.exp(np.mean(np.log(answered[:, :2]), axis=0))
    ours_off, rival_off = np.sqrt(np.mean(answered[:, 2:] ** 2, axis=0))
    print(f"of {len(table)} data sets gmm-mi fails on {len(table) - len(answered)}, which are left out of what follows")
    print(f"geometric mean of the ratios at {samples} samples: {one:.0f} on one core, {all_cores:.0f} on all")
    print(f"root mean square error against the truth: ours {ours_off:.4f}, gmm-mi {rival_off:.4f} nats")


if __name__ == "__main__":
    main()
