"""The one table of equations: what is claimed, under which permanent id, and on which page.

An id is a word and never changes; it is the label of the printed formula, the key of the ledger
and the anchor in the address of the page.  The paper's and the notes' numbers are attributes.
The function that implements an equation is not typed here: it is found from the docstrings,
which name their equations as ``:eq:`id```.
"""

from dataclasses import dataclass

__all__ = ["EQUATIONS", "PAGES", "Equation"]


@dataclass(frozen=True)
class Equation:
    """One numbered equation: its id, its title, the paper's and the notes' numbers, its page."""

    id: str
    title: str
    page: str
    paper: tuple[int, ...] = ()
    notes: tuple[int, ...] = ()


EQUATIONS: dict[str, Equation] = {
    e.id: e
    for e in (
        # diffusion kernels
        Equation("stationarity", "The kernel leaves its prior unchanged", "kernels", paper=(1,)),
        Equation("detailed-balance", "The kernel is reversible", "kernels"),
        Equation("diffusion-kernel", "One forward step", "kernels", paper=(2,)),
        Equation("gaussian-kernel", "The Gaussian kernel", "kernels"),
        Equation("binomial-kernel", "The binomial kernel", "kernels"),
        Equation("erasing-schedule", "The schedule that erases evenly", "kernels"),
        # forward trajectory
        Equation("forward-trajectory", "The forward chain factorises", "forward", (3,), (1,)),
        Equation("forward-steps", "The steps, given the data", "forward", (), (1,)),
        Equation("forward-marginal", "Many forward steps in one", "forward"),
        Equation("forward-marginal-binomial", "Many steps of a bit in one", "forward"),
        # reverse trajectory
        Equation("reverse-prior", "The reverse chain starts at the prior", "reverse", (4,)),
        Equation("reverse-trajectory", "The reverse chain factorises", "reverse", (5,), (2, 3)),
        Equation("exact-reversal", "The exact reversal of a forward step", "reverse"),
        Equation("gaussian-reversal", "The exact reversal for Gaussian data", "reverse"),
        # model probability
        Equation("model-marginal", "Model probability as an integral", "likelihood", (6,), (4,)),
        Equation("importance-insertion", "Multiply and divide by q", "likelihood", (7, 8), (4,)),
        Equation("importance-weights", "An average over trajectories", "likelihood", (9,), (4,)),
        # training and the bound
        Equation("log-likelihood", "The objective of training", "bound", (10,), (6,)),
        Equation("training-optimum", "Training aims at the data law", "bound", (), (5,)),
        Equation("log-likelihood-trajectories", "The objective over trajectories", "bound", (11,)),
        Equation("gibbs-inequality", "A KL divergence is never negative", "bound"),
        Equation("jensen-bound", "The bound and its gap", "bound", (12, 13, 37, 38), (6,)),
        # the end of the chain, K2
        Equation("bound-split", "The bound in two parts", "prior_term", (40,), (7,)),
        Equation("prior-term", "Only the last state matters", "prior_term", (41,), (8,)),
        Equation("prior-cross-entropy", "The exact value of K2", "prior_term", (43,), (8,)),
        Equation("prior-cross-entropy-binomial", "The exact value for bits", "prior_term", (43,)),
        Equation("prior-entropy", "The entropy of the Gaussian prior", "prior_term", (), (9,)),
        Equation("prior-entropy-binomial", "The entropy of the binomial prior", "prior_term"),
        # the steps of the chain, K1
        Equation("edge-step", "The fixed last reverse step", "steps", (44,), (10,)),
        Equation("edge-term", "What the edge step contributes", "steps", (45, 46), (10,)),
        Equation("markov-step", "Conditioning on the start changes nothing", "steps", (47,), (10,)),
        Equation("bayes-step", "Bayes' rule given the start", "steps", (48,), (10,)),
        Equation("telescoping", "The product that telescopes", "steps", (49,), (10,)),
        Equation("telescoping-entropies", "The entropies that telescope", "steps", (50,), (10,)),
        Equation(
            "bound-entropies", "The bound in KL terms and entropies", "terms", (14, 51), (10,)
        ),
        # closed forms
        Equation("forward-posterior", "The Gaussian posterior of a step", "closed_forms"),
        Equation("forward-posterior-binomial", "The binomial posterior of a step", "closed_forms"),
        Equation("kl-gaussian", "KL divergence of two Gaussians", "closed_forms"),
        Equation("kl-binomial", "KL divergence of two Bernoullis", "closed_forms"),
        Equation("entropy-forward", "The entropy of a Gaussian marginal", "closed_forms"),
        Equation("entropy-forward-binomial", "The entropy of a binomial marginal", "closed_forms"),
        Equation("null-log-likelihood", "The score of knowing nothing", "closed_forms"),
        # ceiling and optimum
        Equation("bound-correction", "The correction between the two bounds", "optimum"),
        Equation("bound-ceiling", "A ceiling that no model passes", "optimum"),
        Equation("optimal-reversal", "The optimum is the exact reversal", "optimum", (15,)),
        Equation("optimal-bound", "The value of the bound at its optimum", "optimum"),
        # entropy of the reverse process
        Equation("reverse-entropy", "The entropy of a step, turned round", "entropy", (25, 26, 27)),
        Equation("data-processing", "A step brings every law nearer to the prior", "entropy"),
        Equation("entropy-growth", "What a step adds to the entropy", "entropy"),
        Equation("entropy-never-falls", "The entropy never falls", "entropy", (28, 29)),
        Equation("reverse-entropy-upper", "The upper bound", "entropy", (30,)),
        Equation("reverse-entropy-corrected", "An upper bound for all data", "entropy"),
        Equation("entropy-of-the-start", "The start is forgotten", "entropy", (31,)),
        Equation("reverse-entropy-lower", "The lower bound", "entropy", (32, 33, 34, 35)),
        Equation("entropy-posterior", "The lower bound is an entropy", "entropy"),
        Equation("reverse-entropy-bounds", "Both bounds", "entropy", (24, 36)),
        Equation("entropy-interval", "The interval is the price of doing nothing", "entropy"),
        Equation("entropy-step", "The entropy of a Gaussian step", "entropy"),
        Equation("entropy-posterior-gaussian", "The entropy of a Gaussian posterior", "entropy"),
        Equation("reverse-entropy-gaussian", "The entropy for Gaussian data", "entropy"),
        # why small steps may be Gaussian
        Equation("bound-loss", "What the bound loses, step by step", "feller"),
        Equation("edge-loss", "What the fixed last step loses", "feller"),
        Equation("gap-steps", "The gap, step by step", "feller"),
        Equation("gaussian-gap", "The gap for Gaussian data", "feller"),
        # perturbed kernels
        Equation("perturbed-step", "A step times a function", "perturbation", (52, 53)),
        Equation("perturbed-energy", "The energy of the product", "perturbation", (54, 55)),
        Equation("perturbed-linear", "What the linear energy drops", "perturbation", (56,)),
        Equation("perturbed-square", "The square completed", "perturbation", (57, 58, 59, 60)),
        Equation("perturbed-gaussian", "The perturbed Gaussian step", "perturbation", (61,)),
        Equation("perturbed-binomial", "The perturbed binomial step", "perturbation"),
        # reverse parameterisation
        Equation("temporal-readout", "Coefficients mixed over time", "readout", (62,)),
        Equation("temporal-bumps", "Bumps over time", "readout", (63,)),
        Equation("covariance-readout", "The variance of a step, read out", "readout", (64,)),
        Equation("mean-readout", "The mean of a step, read out", "readout", (65,)),
        Equation("readout-equilibrium", "What many such steps lead to", "readout"),
        # multiplying distributions
        Equation("tilted-marginal", "The law of each state, times r", "conditioning", (16,)),
        Equation("tilted-consistency", "What a step has to do", "conditioning", (18, 19, 20)),
        Equation("tilted-kernel", "A step that does it", "conditioning", (17, 21)),
        Equation("tilted-trajectory", "All steps together are always right", "conditioning"),
        Equation("tilted-mass", "One step alone has another mass", "conditioning"),
        Equation("look-ahead", "The factor that looks ahead", "conditioning"),
        Equation("exact-conditioning", "Steps that are laws as they stand", "conditioning"),
        Equation("normalised-rule", "What the normalised steps sample", "conditioning", (22,)),
        Equation("evidence-twice", "The evidence is counted twice", "conditioning", (23,)),
        Equation("gaussian-product", "A Gaussian times a Gaussian", "conditioning"),
        # the diffusion rate
        Equation("frozen-noise", "Noise first, state after", "rates"),
        Equation("rate-gradient", "The slope of the optimum in a rate", "rates"),
        Equation("rate-one", "Thin data and the first rate", "rates"),
    )
}

TRAINING = tuple(
    f"learning.{room}"
    for room in ("data", "networks", "objectives", "settings", "batches", "training",
                 "learned_rates", "evaluation", "checkpoints", "splits", "diffusions", "recipes",
                 "runs", "experiments", "parallel")
)  # fmt: skip

EVIDENCE = tuple(
    f"evidence.{room}"
    for room in ("equations", "checks", "row", "provenance", "storage", "usage", "ledger")
)

PAGES: dict[str, tuple[str, ...]] = {
    "intro": ("explore",),
    "touch": ("explore",),
    "notation": ("evidence.notation",),
    "kernels": ("kernels", "schedules"),
    "forward": ("forward",),
    "reverse": ("protocol", "reverse", "exact"),
    "likelihood": ("likelihood",),
    "bound": ("bounds",),
    "prior_term": ("bounds",),
    "steps": ("bounds",),
    "terms": ("bounds",),
    "closed_forms": ("bounds", "kernels"),
    "optimum": ("bounds", "exact"),
    "entropy": ("entropies", "exact"),
    "feller": ("exact",),
    "perturbation": ("perturbation",),
    "readout": ("kernels", "learning.networks"),
    "conditioning": ("conditioning",),
    "inpainting": ("conditioning",),
    "rates": ("schedules", "learning.learned_rates"),
    "swiss_roll": TRAINING,
    "heartbeat": TRAINING,
    "digits": TRAINING,
    "mnist": (*TRAINING, "learning.windows"),
    "own_data": TRAINING,
    "today": ("learning.objectives",),
    "machine": ("symbolic", "evidence.checks", "evidence.row"),
    "ledger": EVIDENCE,
}
"""Which page explains which room of the library, where the names alone do not say it."""
