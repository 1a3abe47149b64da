"""What the verbs of ``triptych qec`` can be asked.

In: values from a TOML file and a command line. Out: checked configurations, which build a noise model and a program.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from triptych.errors import ConfigError
from triptych.qec import protocols
from triptych.qec.architecture import ESHE, Architecture
from triptych.qec.codes import CODES
from triptych.qec.criteria import Criterion, named
from triptych.qec.noise import Noise
from triptych.qec.preparations import NoisyAncilla
from triptych.qec.program import Program
from triptych.qec.tree import Pruning

BLOCKS = MappingProxyType({"recovery": 1, "bit_flip_recovery": 1, "cnot_recovery": 2, "two_qubit": 2})
"""Logical qubits of the programs that have a fixed number of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramConfig:
    """What is simulated."""

    kind: Literal["recovery", "bit_flip_recovery", "cnot_recovery", "two_qubit", "tree", "ring"] = field(
        default="recovery",
        metadata={
            "help": "one block: a whole recovery, or its bit-flip phase alone; two: a logical CNOT and recovery, or the same and "
            "another CNOT; any number: CNOTs in a tree, or twice round a ring"
        },
    )
    logical_qubits: int = field(default=2, metadata={"help": "blocks (tree, ring)"})
    code: Literal["steane", "hamming15", "bch21", "golay"] = field(
        default="steane", metadata={"help": "the [[7,1,3]], [[15,7,3]], [[21,3,5]] or [[23,1,7]] code"}
    )
    preparation: Literal["9+3", "8+1"] = field(default="9+3", metadata={"help": "CNOTs of the ancilla encoder + its checks"})
    ancilla_rate: float | None = field(
        default=None,
        metadata={"help": "instead of a circuit, the probability of an X, a Y or a Z error on each qubit of an ancilla"},
    )
    extractions: int = field(default=3, metadata={"help": "syndromes for each majority vote"})
    supply: int | None = field(default=None, metadata={"help": "ancilla blocks to try for each syndrome; none is without limit"})
    otherwise: Literal["abort", "skip", "use"] = field(
        default="abort", metadata={"help": "where a limited supply is used up: crash, take one syndrome less, or the last block"}
    )
    criterion: Literal["css", "paper22", "strict", "readout"] = field(
        default="css", metadata={"help": "when a block counts as lost"}
    )
    at_any_time: bool = field(
        default=False, metadata={"help": "a block that is lost after a recovery counts, even if found again"}
    )

    def __post_init__(self) -> None:
        blocks = BLOCKS.get(self.kind, self.logical_qubits)
        if self.logical_qubits not in (blocks, 2):
            raise ConfigError(
                f"{self.kind} has {blocks} logical qubits", got=self.logical_qubits, fix="take --program.kind tree or ring"
            )
        if blocks < 1 or (self.kind not in BLOCKS and blocks < 2):
            raise ConfigError("a logical CNOT needs two blocks", got=f"{blocks} logical qubits", expected=">= 2")
        if self.ancilla_rate is not None and not 0 <= self.ancilla_rate <= 1:
            raise ConfigError("program.ancilla_rate is no probability", got=self.ancilla_rate, expected="0 <= ancilla_rate <= 1")
        if self.code != "steane" and self.ancilla_rate is None:
            fix = "say how noisy its ancillas are: --program.ancilla-rate"
            raise ConfigError("program.code has no ancilla circuit", got=self.code, fix=fix)
        if self.extractions < 1:
            raise ConfigError("a recovery needs syndromes", got=self.extractions, expected="extractions >= 1", fix="use 3")
        if self.supply is not None and self.supply < 1:
            raise ConfigError("program.supply is impossible", got=self.supply, expected=">= 1", fix="leave it out for no limit")
        if self.supply is None and self.otherwise != "abort":
            raise ConfigError(
                "an unlimited supply is never used up", got=f"otherwise = {self.otherwise}", fix="give --program.supply, too"
            )

    def build(self, noise: Noise) -> Program:
        """The program, with this noise."""
        size = {} if self.kind in BLOCKS else {"logical_qubits": self.logical_qubits}
        preparation: str | NoisyAncilla = self.preparation
        if self.ancilla_rate is not None:
            preparation = NoisyAncilla.depolarizing(self.ancilla_rate, size=CODES[self.code].n)
        return protocols.PROGRAMS[self.kind](
            noise,
            code=self.code,
            preparation=preparation,
            extractions=self.extractions,
            supply=self.supply,
            otherwise=self.otherwise,
            **size,
        )

    def crash(self) -> Criterion:
        """The criterion, for blocks of the code."""
        return named(self.criterion, self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseConfig:
    """How strong each class of faults is."""

    preset: Literal["eshe", "eshe_rates", "uniform", "biased"] = field(
        default="uniform",
        metadata={"help": "Table I, or its error rates without decay and movement; one rate for resets, CNOTs and measurements"},
    )
    p: float = field(default=1e-3, metadata={"help": "that one rate (uniform, biased)"})
    bias: float | None = field(default=None, metadata={"help": "how many times as likely Z is as X and Y each (biased)"})
    file: str | None = field(
        default=None, metadata={"help": "a TOML file with the rows of Table I for another machine, instead of a preset"}
    )
    decay: Literal["exponential", "composable", "mixing"] = field(
        default="exponential",
        metadata={"help": "error after a time t: 1-exp(-t/T), 3/4(1-exp(-4t/3T)), 3/4(1-exp(-t/T)) (eshe, file)"},
    )
    overrides: tuple[str, ...] = field(
        default=(), metadata={"help": "other rates at places of the protocol, such as check/measurement=1e-2,data/idle=0"}
    )

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ConfigError("noise.p is no probability", got=self.p, expected="0 <= p <= 1", fix="give another --noise.p")
        preset = self.preset if self.file is None else "file"
        if (self.bias is not None) != (preset == "biased"):
            raise ConfigError(
                "noise.bias belongs to the preset biased", got=f"preset {preset}, bias {self.bias}", expected="both or neither"
            )
        if self.file is not None and not Path(self.file).is_file():
            raise ConfigError("noise.file does not exist", got=self.file, fix="check the path given to --noise.file")
        self.noise()

    def inputs(self) -> list[Path]:
        """The machine's file."""
        return [] if self.file is None else [Path(self.file)]

    def noise(self) -> Noise:
        """The rates."""
        if self.file is not None or self.preset == "eshe":
            noise = Noise.of(Architecture.load(self.file or ESHE), decay=self.decay)
        elif self.preset == "eshe_rates":
            noise = Noise.eshe_rates()
        else:
            noise = Noise.biased(self.p, bias=1.0 if self.bias is None else self.bias)
        return noise.override(dict(_override(text) for text in self.overrides))


def _override(text: str) -> tuple[str, float]:
    name, _, rate = text.partition("=")
    try:
        return name.strip(), float(rate)
    except ValueError:
        raise ConfigError("noise.overrides is no list of rates", got=text, expected="place/class=rate,...") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How the answer is found."""

    name: Literal["auto", "exact", "tree", "reference", "montecarlo"] = field(
        default="auto",
        metadata={
            "help": "contraction of the program's gadgets, the probability tree, the same literally and slowly, or random shots; "
            "auto takes the exact engine where it fits, else the tree, and says why"
        },
    )
    event_threshold: float | None = field(default=None, metadata={"help": "states below it do not branch (tree, reference)"})
    merge_threshold: float | None = field(
        default=None, metadata={"help": "merged states up to it are not kept (tree, reference)"}
    )
    merge: Literal["bounded", "preservation", "lossy"] | None = field(
        default=None,
        metadata={"help": "what becomes of states that are not followed; none takes bounded (tree) or preservation (reference)"},
    )
    relative_width: float | None = field(
        default=None, metadata={"help": "half the interval over the rate, where no threshold is given; none takes 0.001 (tree)"}
    )
    reduction: Literal["compiled", "observed", "none"] | None = field(
        default=None,
        metadata={
            "help": "follow what the rest of the program can see, with recoveries taken as exact channels or step by step, or "
            "Pauli strings; none takes observed (tree)"
        },
    )
    max_memory_gb: float = field(
        default=4.0, metadata={"help": "where it is short the exact engine refuses and the tree's interval is wider"}
    )
    max_faults: int | None = field(default=None, metadata={"help": "follow errors of at most so many faults (tree)"})
    shots: int = field(default=1_000_000, metadata={"help": "random shots (montecarlo)"})

    def __post_init__(self) -> None:
        Pruning(
            event=self.event_threshold or 0.0,
            merge=self.merge_threshold or 0.0,
            max_faults=self.max_faults,
            max_memory=1e9 * self.max_memory_gb,
        )
        thresholds = [one for one in (self.event_threshold, self.merge_threshold) if one is not None]
        if self.relative_width is not None and (thresholds or not self.relative_width > 0):
            raise ConfigError(
                "engine.relative_width does not fit",
                got=f"relative_width {self.relative_width:g}, thresholds {thresholds}",
                expected="relative_width > 0 without thresholds, or thresholds without relative_width",
            )
        if self.name in ("reference", "montecarlo") and (self.relative_width, self.max_faults) != (None, None):
            raise ConfigError(f"{self.name} has no relative_width and no max_faults", fix="take --engine.name tree")
        if self.name == "montecarlo" and thresholds:
            raise ConfigError("montecarlo has no thresholds", got=thresholds, fix="leave them out, or take --engine.name tree")
        if self.name == "reference" and self.merge == "bounded":
            raise ConfigError("reference has no bounded merges", got=self.merge, expected="preservation or lossy")
        if self.shots < 1:
            raise ConfigError("engine.shots is impossible", got=self.shots, expected=">= 1", fix="give another --engine.shots")


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeConfig:
    """What a fault-tolerant program consists of: qubits, cycles, gates, tasks and noise locations."""

    program: ProgramConfig = field(default_factory=ProgramConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)

    def inputs(self) -> list[Path]:
        """The files that are read."""
        return self.noise.inputs()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How often a fault-tolerant program fails: exactly, by the probability tree with its certificate, or by Monte Carlo."""

    program: ProgramConfig = field(default_factory=ProgramConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    seed: int = field(default=2008, metadata={"help": "seed of the random shots (montecarlo)"})

    def inputs(self) -> list[Path]:
        """The files that are read."""
        return self.noise.inputs()
