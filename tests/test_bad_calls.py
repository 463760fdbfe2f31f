"""Bad calls of every public function: each is refused by the name of what is wrong with it.

A row is a call, as a user would type it, and the argument that its error must name.  The words must
say what is expected and what came: "<argument> must <expected>, got <what came>".
"""

import copy
import importlib
import os
import re
import time

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Gamma, Independent, Normal
from typer.testing import CliRunner

import dpm_lib as dpm
from dpm_lib import doors, plots
from dpm_lib.cli import app
from dpm_lib.evidence.provenance import library_version
from dpm_lib.learning import checkpoints, experiments
from dpm_lib.learning.evaluation import record
from dpm_lib.learning.networks import temporal_bumps
from dpm_lib.learning.windows import best_width, parzen

NAN, INF = float("nan"), float("inf")


def rows(argument, template, *values):
    """One row for each value, which stands for the dot in the template."""
    return [(template.replace("•", value), argument) for value in values]


NO_COUNT = ("0", "-1", "2.5", "True", "None", "'4'")
NO_NUMBER = ("0", "-0.1", "NAN", "INF", "'1'", "None", "True")
NO_STEP = ("0", "5", "-1", "1.0", "True", "None", "'1'", "ones", "ones.bool()", "ones.byte()",
           "ones.long()[:2]", "9 * ones.long()",
           "0 * ones.long()", "ones.long()[:, None]")  # fmt: skip
NO_STATE = ("None", "3.0", "[1.0]", "x.half()", "x.bfloat16()", "x.long()", "x.to('meta')",
            "x.sum()")  # fmt: skip
NO_DATA = (*NO_STATE, "NAN * x", "INF * x", "x[:0]")
NO_BITS = ("x / 2", "x - 1.5", "2 * x")
NO_GENERATOR = ("None", "3", "torch.Generator")
NO_DTYPE = ("torch.float16", "torch.bfloat16", "torch.int64", "'float32'", "None", "float")
NO_DEVICE = ("'warp'", "3.5", "'cpu:x'", "cuda")
NO_KERNEL = ("None", "x", "m", "dpm.GaussianKernel", "beta")
NO_MODEL = ("None", "x", "k", "m.network", "dpm.ReverseProcess")
SCHEDULES = {
    "erase_evenly": "•", "inverse": "•", "cosine": "•", "reference_code": "•",
    "linear": "•, 0.1, 0.2", "geometric": "•, 0.1, 0.2", "log_linear": "•, 0.1, 0.2",
}  # fmt: skip

TABLE = [
    # rates
    *(row for name, call in SCHEDULES.items() for row in [
        *rows("T", f"schedules.{name}({call})", *NO_COUNT),
        *rows("dtype", f"schedules.{name}({call.replace('•', '4')}, dtype=•)", *NO_DTYPE),
        *rows("device", f"schedules.{name}({call.replace('•', '4')}, device=•)", *NO_DEVICE),
    ]),
    *rows("first", "schedules.log_linear(4, •, 0.5)", *NO_NUMBER, "1.5"),
    *rows("first", "schedules.begun(•, beta)", *NO_NUMBER, "1.5"),
    *rows("beta", "schedules.begun(0.1, •)", "None", "[0.1]", "beta[0]", "-beta", "NAN * beta"),
    *rows("beta", "k.with_rates(•)", "None", "[0.1]", "beta[0]", "-beta", "NAN * beta"),
    *rows("last", "schedules.log_linear(4, 0.2, •)", *NO_NUMBER, "0.1", "0.2", "1", "1.5"),
    *(row for name in ("linear", "geometric") for row in [
        *rows("first", f"schedules.{name}(4, •, 0.5)", *NO_NUMBER, "1.1"),
        *rows("last", f"schedules.{name}(4, 0.5, •)", *NO_NUMBER, "1.1"),
    ]),
    ("schedules.linear(4, 1e-60, 1.0, dtype=torch.float32)", "beta"),
    *rows("first_step", "schedules.reference_code(4, •)", "NAN", "2.0", "'1'", "-1.5"),
    ("schedules.reference_code(4, -0.5)", "beta"),
    *(row for kind in ("GaussianKernel", "BinomialKernel", "schedules.signal", "schedules.noise")
      for row in rows("beta", f"dpm.{kind}(•)", "None", "[0.1]", "beta.half()", "beta.bfloat16()",
                      "beta.long()", "beta[:0]", "beta[0]", "beta[None]", "-beta", "0 * beta",
                      "beta + 1", "NAN * beta", "x")),
    *rows("rate", "dpm.BinomialKernel(beta, •)", *NO_NUMBER, "1", "1.5"),
    # kernels
    *(row for kernel, data in (("k", NO_DATA), ("b", NO_DATA + NO_BITS)) for row in [
        *rows("x_prev", f"{kernel}.step(•, 1)", *NO_STATE),
        *rows("x0", f"{kernel}.marginal(•, 1)", *NO_STATE),
        *rows("x0", f"{kernel}.posterior(•, x, 2)", *NO_STATE),
        *rows("xt", f"{kernel}.posterior(x, •, 2)", *NO_STATE, "x.float()", "x[:1]", "x[:, :1]"),
        *rows("t", f"{kernel}.step(x, •)", *NO_STEP),
        *rows("t", f"{kernel}.marginal(x, •)", *NO_STEP),
        *rows("t", f"{kernel}.posterior(x, x, •)", *NO_STEP, "1", "ones.long()"),
        *rows("t", f"{kernel}.head(x, •, *outputs[:{kernel}.outputs])", *NO_STEP, "1"),
        *rows("t", f"{kernel}.marginal_entropy(x, •)", "0", "5", "True"),
        *rows("t", f"{kernel}.expected_log_prior(x, •)", "0", "5", "True"),
        *rows("x0", f"{kernel}.prior_surplus(•)", "None", "x.half()", "x.sum()"),
        *rows("xt", f"{kernel}.head(•, 2, x, x)", "None", "x.half()"),
        *rows("outputs", f"{kernel}.head(x, 2, •)", "x, x, x", "x[:, :1], x[:, :1]", "",
              "None, None", "x.numpy(), x.numpy()"),
        *rows("x0", f"{kernel}.check_data(•)", *data),
        *rows("shape", f"{kernel}.prior(•)", "3", "None", "'ab'"),
        *rows("each side of shape", f"{kernel}.prior(•)", "(3, 0)", "(-1,)", "(2.0,)"),
    ]),
    # chains
    *rows("kernel", "forward.trajectory(•, x, g)", *NO_KERNEL),
    *rows("x0", "forward.trajectory(k, •, g)", *NO_DATA),
    *rows("generator", "forward.trajectory(k, x, •)", *NO_GENERATOR),
    *(row for name in ("log_prob", "log_prob_backwards") for row in [
        *rows("trajectory", f"forward.{name}(k, •)", "None", "x", "chain[:-1]", "chain.half()",
              "NAN * chain", "chain[:, :0]"),
        *rows("kernel", f"forward.{name}(•, chain)", "None", "chain", "m"),
    ]),
    *rows("trajectory", "m.log_prob(•)", "None", "x", "chain[1:]", "NAN * chain"),
    ("m.log_prob(chain[..., :1])", "trajectory"),
    *rows("trajectory", "forward.log_prob(b, •)", "chain / 2",
          "torch.cat([chain[:4], chain[4:] / 2])"),
    *rows("kernel", "dpm.ReverseProcess(•, m.network)", *NO_KERNEL),
    *rows("network", "dpm.ReverseProcess(k, •)", "None", "x", "mlp(k2)", "rbf(k2)", "mlp(b)",
          "dpm.identity_network(k2, (2,))", "dpm.identity_network(b, (2,))", "law.reversal(k2)",
          "mixture.reversal(k2)",
          "dpm.heartbeat().reversal(b2)"),
    ("dpm.ReverseProcess(b, dpm.heartbeat().factorised(b2))", "network"),
    ("dpm.ReverseProcess(k, mixture.moment_matched(k2))", "network"),
    *rows("event_shape", "dpm.ReverseProcess(k, •)", "lambda xt, t: xt"),
    *rows("event_shape", "dpm.ReverseProcess(k, lambda xt, t: xt, •)", "None", "3", "'ab'"),
    *rows("network", "dpm.ReverseProcess(k, lambda xt, t: •, (3,))", "None", "3", "t", "xt[:1]",
          "xt[:, :1]", "torch.cat([xt] * 3, 1)", "xt.to('meta')", "'xt'"),
    *rows("network", "dpm.ReverseProcess(b, lambda xt, t: •, (2,))", "torch.cat([xt] * 2, 1)"),
    ("dpm.ReverseProcess(k, mlp(k), (3,))", "network"),
    *rows("event_shape", "dpm.identity_network(k, •)", "3", "None", "'ab'"),
    *rows("each side of event_shape", "dpm.identity_network(k, •)", "(0,)", "(2.0,)"),
    *rows("kernel", "dpm.identity_network(•, (2,))", *NO_KERNEL),
    *rows("xt", "m.step(•, 2)", "x[:, :1]", "x.flatten()", "x[None]"),
    *rows("xt", "m.step(•, 2)", *NO_STATE),
    *rows("t", "m.step(x, •)", *NO_STEP),
    *rows("n", "m.sample(•, generator=g)", *NO_COUNT),
    *rows("n", "m.trajectory(•, generator=g)", *NO_COUNT),
    *rows("generator", "m.sample(2, generator=•)", *NO_GENERATOR),
    *rows("generator", "m.trajectory(2, generator=•)", *NO_GENERATOR),
    # laws that a network may not return
    *(row for what in ("step(x, 2)", "step(x, 2 * ones.long())", "sample(3, generator=g)")
      for row in rows("network", f"returns(lambda xt, t: •).{what}",
        "None", "3 * (xt,)", "normal(xt, -1)", "normal(xt, 0)", "normal(NAN * xt, 1)",
        "normal(xt, NAN)", "bits(xt.sigmoid())", "normal(xt.half(), 1)", "normal(xt[:, :1], 1)",
        "Normal(xt, 1)")),
    *rows("network", "returns(lambda xt, t: bits(•), b).sample(3, generator=g)",
          "xt + 1.5", "xt - 2", "NAN * xt", "0.5 * xt.half()"),
    ("returns(lambda xt, t: k.head(xt, t, NAN * xt, xt)).sample(3, generator=g)", "network"),
    ("returns(lambda xt, t: b.head(xt, t, NAN * xt), b).sample(3, generator=g)", "network"),
    ("returns(lambda xt, t: k.head(xt, t, NAN * xt, xt)).trajectory(3, generator=g)", "network"),
    ("returns(lambda xt, t: NAN * xt, b).sample(3, generator=g)", "network"),
    ("returns(lambda xt, t: torch.where(t[:, None] == 3, NAN, xt), b).sample(3, generator=g)",
     "network"),
    *rows("network", "dpm.ReverseProcess(k, •, (2,))", "k", "torch.nn.Linear(2, 2)",
          "lambda xt: xt", "lambda xt, t, c: xt", "lambda: 0"),
    *rows("network", "dpm.•(returns(lambda xt, t: k.head(xt, t, NAN * xt, xt)), x, generator=g)",
          "bound", "sampled_bound", "evaluate"),
    *rows("network", "dpm.•(returns(lambda xt, t: k.head(xt, t, NAN * xt, xt)), x, trajectories=3, "
          "generator=g)", "log_likelihood", "trajectory_bound", "draw_log_weights"),
    ("dpm.ReverseProcess(k, mixture.reversal(k)).step(x, ones.long())", "t"),
    # scores
    *(row for call in ("bound(•, x, generator=g)", "sampled_bound(•, x, generator=g)",
                       "log_likelihood(•, x, trajectories=9, generator=g)",
                       "draw_log_weights(•, x, trajectories=9, generator=g)",
                       "trajectory_bound(•, x, trajectories=9, generator=g)",
                       "evaluate(•, x, generator=g)", "fit(•, x, steps=1, generator=g)",
                       "log_weights(•, chain)", "log_weight_terms(•, chain)")
      for row in rows("model", f"dpm.{call}", *NO_MODEL)),
    *(row for call in ("bound(m, •, generator=g)", "sampled_bound(m, •, generator=g)",
                       "log_likelihood(m, •, trajectories=9, generator=g)",
                       "draw_log_weights(m, •, trajectories=9, generator=g)",
                       "trajectory_bound(m, •, trajectories=9, generator=g)",
                       "evaluate(m, •, generator=g)")
      for row in rows("x0", f"dpm.{call}", *NO_DATA, "x[:, :1]", "x[None]")),
    *(row for call in ("bound(bm, •, generator=g)", "evaluate(bm, •, generator=g)")
      for row in rows("x0", f"dpm.{call}", *NO_BITS)),
    *(row for call in ("bound(m, x, generator=•)", "sampled_bound(m, x, generator=•)",
                       "log_likelihood(m, x, trajectories=9, generator=•)",
                       "draw_log_weights(m, x, trajectories=9, generator=•)",
                       "trajectory_bound(m, x, trajectories=9, generator=•)",
                       "evaluate(m, x, generator=•)", "fit(m, x, steps=1, generator=•)")
      for row in rows("generator", f"dpm.{call}", *NO_GENERATOR)),
    *(row for call, more in (("draw_log_weights", ()), ("log_likelihood", ("1",)),
                             ("trajectory_bound", ("1",)))
      for row in rows("trajectories", f"dpm.{call}(m, x, trajectories=•, generator=g)", *NO_COUNT,
                      *more)),
    *rows("x0", "dpm.evaluate(m, •, generator=g)", "x[:1]", "x.numpy().astype(str)",
          "x.numpy().astype(object)", "x.numpy().astype(complex)", "x.numpy().astype('M8[s]')"),
    *rows("x0", "dpm.evaluate(scaled, •, generator=g)", "50 * x", "x / 50", "50 * x.numpy()"),
    *rows("repeats", "dpm.evaluate(m, x, generator=g, repeats=•)", *NO_COUNT),
    *rows("steps", "dpm.evaluate(m, x, generator=g, steps=•)", *sorted(set(NO_COUNT) - {"None"})),
    *rows("steps", "dpm.sampled_bound(m, x, generator=g, steps=•)", *NO_COUNT),
    *(row for call in ("null_log_likelihood", "prior_term", "edge_term", "correction") for row in [
        *rows("kernel", f"dpm.{call}(•, x)", *NO_KERNEL),
        *rows("x0", f"dpm.{call}(k, •)", *NO_DATA),
        *rows("x0", f"dpm.{call}(b, •)", *NO_BITS),
    ]),
    *(row for call in ("step_entropy", "posterior_entropy", "reverse_entropy_bounds") for row in [
        *rows("kernel", f"dpm.{call}(•, x, 2)", *NO_KERNEL),
        *rows("x0", f"dpm.{call}(k, •, 2)", *NO_DATA),
        *rows("x0", f"dpm.{call}(b, •, 2)", *NO_BITS),
        *rows("t", f"dpm.{call}(k, x, •)", *NO_STEP, "1", "ones.long()"),
    ]),
    *(row for call in ("log_weights", "log_weight_terms")
      for row in rows("trajectory", f"dpm.{call}(m, •)", "None", "x", "chain[1:]", "NAN * chain",
                      "chain.half()")),
    *rows("values", "dpm.mean_and_error(•)", "None", "x[:, :1]", "x.sum()", "NAN * x", "x.long()"),
    *rows("x", "dpm.second_moment(•)", "None", "NAN * x", "x[:0]", "x.half()"),
    *rows("nats", "dpm.bits(•)", "None", "'1'"),
    *rows("q", "dpm.divergence(•, normal(x, 1), g)", "None", "x"),
    *rows("p", "dpm.divergence(normal(x, 1), •, g)", "None", "x", "bits(x.sigmoid())"),
    *rows("generator", "dpm.draw(normal(x, 1), •)", *NO_GENERATOR),
    *rows("law", "dpm.perturbed(•, lambda y: y[:, 0])", "None", "x", "Normal(x, 1)",
          "Independent(Gamma(x, x), 1)"),
    *rows("log_r", "dpm.perturbed(normal(x, 1), •)", "None", "x", "lambda y: y", "lambda y: 1.0",
          "lambda y: y.sum()", "lambda y: NAN * y[:, 0]", "lambda y: y[:, 0].detach()",
          "lambda y: ones"),
    *rows("log_r", "dpm.perturbed(bits(x / 2), •)", "None", "lambda y: y",
          "lambda y: INF * y[:, 0]"),
    ("dpm.perturbed(normal(x, 1), lambda y: (y[:, 0] - 1).sqrt())", "the gradient of log_r"),
    *rows("distribution", "dpm.draw(•, g)", "None", "x", "Gamma(x.exp(), x.exp())"),
    ("dpm.draw(Categorical(logits=NAN * x, validate_args=False), g)",
     "probabilities of the distribution"),
    # networks and training
    *(row for net, size in (("MLPNetwork", "hidden"), ("RBFNetwork", "units"),
                            ("StepwiseNetwork", "hidden")) for row in [
        *rows("kernel", f"dpm.{net}(•, (2,), generator=g)", *NO_KERNEL),
        *rows("event_shape", f"dpm.{net}(k, •, generator=g)", "3", "None"),
        *rows("each side of event_shape", f"dpm.{net}(k, •, generator=g)", "(0,)", "(1.5,)"),
        *rows(size, f"dpm.{net}(k, (2,), •, generator=g)", *NO_COUNT),
        *rows("generator", f"dpm.{net}(k, (2,), generator=•)", *NO_GENERATOR),
        *rows("t", f"dpm.{net}(k, (2,), generator=g)(x, •)", "3", "None", "'1'"),
    ]),
    *rows("layers", "dpm.MLPNetwork(k, (2,), 8, •, generator=g)", *NO_COUNT),
    *(row for net in ("UNetNetwork", "MultiScaleNetwork") for row in [
        *rows("kernel", f"dpm.{net}(•, (1, 4, 4), generator=g)", *NO_KERNEL),
        *rows("event_shape", f"dpm.{net}(k, •, generator=g)", "3", "None", "(16,)", "(4, 4)",
              "(1, 6, 4)", "(1, 4, 7)", "(1, 1, 4, 4)"),
        *rows("width", f"dpm.{net}(k, (1, 4, 4), •, generator=g)", *NO_COUNT),
        *rows("generator", f"dpm.{net}(k, (1, 4, 4), 8, generator=•)", *NO_GENERATOR),
        *rows("t", f"dpm.{net}(k, (1, 4, 4), 8, generator=g)(x.new_ones(3, 1, 4, 4), •)", "3",
              "None"),
    ]),
    *rows("width", "dpm.UNetNetwork(k, (1, 4, 4), •, generator=g)", "4", "12"),
    *rows("octaves", "dpm.UNetNetwork(k, (1, 4, 4), 8, •, generator=g)", *NO_COUNT[1:]),
    *(row for size in ("layers", "scales", "hidden", "bumps")
      for row in rows(size, f"dpm.MultiScaleNetwork(k, (1, 4, 4), {size}=•, generator=g)",
                      *NO_COUNT)),
    *rows("bumps", "dpm.MultiScaleNetwork(k, (1, 4, 4), bumps=•, generator=g)", "1"),
    *rows("network", "dpm.ReverseProcess(k, •, (2,))", "lambda x, t: x * 1j",
          "lambda x, t: x.long()", "lambda x, t: x > 0"),
    *rows("scaler", "dpm.ReverseProcess(k, mlp(k), scaler=•)", "3", "'a'", "lambda x: x"),
    *rows("t", "temporal_bumps(•, 4, 3)", "None", "3", "ones.long()", "x"),
    *rows("T", "temporal_bumps(ones, •, 3)", *NO_COUNT),
    *rows("count", "temporal_bumps(ones, 4, •)", *NO_COUNT, "1"),
    *rows("x0", "dpm.fit(m, •, steps=1, generator=g)", "lambda n: x", "x.numpy().astype(str)"),
    *rows("x0", "dpm.fit(m, •, steps=1, generator=g)", "None", "3", "x.half()", "NAN * x", "3 * x",
          "x[:, :1]", "x[:0]", "lambda n, g: None", "lambda n, g: x", "outliers"),
    *rows("x0", "dpm.fit(m, lambda n, g: •, steps=1, generator=g)",
          "torch.ones(n, 2).double() * (NAN if n == 256 else 1)",
          "torch.ones(n if n > 999 else 3, 2)"),
    *(row for name in ("steps", "batch")
      for row in rows(name, f"dpm.fit(m, x, generator=g, **dict(steps=1) | dict({name}=•))",
                      *NO_COUNT, "-5")),
    *rows("learning_rate", "dpm.fit(m, x, steps=1, generator=g, learning_rate=•)", *NO_NUMBER),
    ("dpm.fit(m, x, steps=50, learning_rate=1e9, generator=g)", "network"),
    *rows("model", "dpm.•(identity, x, steps=1, generator=g)", "fit", "updates"),
    *rows("x0", "dpm.Trainer(m, •, dpm.Settings(1), generator=g)", "None", "x.numpy()[:0]",
          "torch.utils.data.DataLoader(['a'])", "torch.utils.data.DataLoader([])",
          "torch.utils.data.DataLoader(x * NAN)"),
    *rows("settings", "dpm.Trainer(m, x, •, generator=g)", "None", "3", "{'steps': 1}"),
    *rows("generator", "dpm.Trainer(m, x, dpm.Settings(1), generator=•)", *NO_GENERATOR),
    *rows("decay", "dpm.Settings(1, decay=•)", "None", "'linear'"),
    *rows("objective", "dpm.Settings(1, objective=•)", "None", "'mse'"),
    *rows("clip", "dpm.Settings(1, clip=•)", *NO_NUMBER),
    *rows("average", "dpm.Settings(1, average=•)", "0", "1", "1.5", "'a'", "True"),
    *rows("autocast", "dpm.Settings(1, autocast=•)", "1", "None"),
    *rows("learn_rates", "dpm.Settings(1, learn_rates=•)", "1", "None"),
    ("dpm.Settings(1, objective='noise', learn_rates=True)", "objective"),
    *rows("model", "dpm.rate_gradient(•, x, generator=g)", *NO_MODEL),
    *rows("x0", "dpm.rate_gradient(m, •, generator=g)", *NO_DATA),
    *rows("generator", "dpm.rate_gradient(m, x, generator=•)", *NO_GENERATOR),
    ("dpm.fit(bm, ones.repeat(2, 1).T, steps=1, objective='noise', generator=g)", "objective"),
    ("dpm.fit(mlp_model(dpm.GaussianKernel(beta[:1])), x, steps=1, generator=g)", "model"),
    *rows("state", "dpm.Trainer(m, x, dpm.Settings(1, average=0.9), generator=g).restore(•)", "{}",
          "{'step': ones, 'generator': g.get_state()}"),
    ("dpm.Trainer(m, x, dpm.Settings(1), generator=g).restore("
     "{'step': -ones[0], 'generator': g.get_state()})", "step"),
    *rows("model", "dpm.save(•, file)", *NO_MODEL),
    ("dpm.save(identity, file)", "network"),
    *rows("t", "dpm.once(•)", "3", "None"),
    *rows("y", "dpm.Scaler(•)", "None", "NAN * x", "x", "x.long()", "x[:0]"),
    *rows("y", "scaled.scaler(•)", "None", "x.numpy()", "x.long()", "x[:, :1]", "x[0, 0]"),
    *rows("x", "scaled.scaler.inverse(•)", "None", "x.numpy()", "x.long()", "x[:, :1]", "x[0, 0]"),
    *rows("per_coordinate", "dpm.Scaler(x, •)", "None", "1", "(0,)"),
    *rows("device", "dpm.load(file, device=•)", *NO_DEVICE),
    ("m.load_state_dict(mlp_model(k2).state_dict())", "state_dict"),
    ("m.load_state_dict({n: v for n, v in m.state_dict().items() if 'beta' not in n})",
     "state_dict"),
    ("k.load_state_dict(dpm.GaussianKernel(beta[:2]).state_dict())", "state_dict"),
    ("b.load_state_dict(b2.state_dict())", "state_dict"),
    ("b2.load_state_dict(dpm.BinomialKernel(b2.beta, 0.3).state_dict())", "state_dict"),
    *(row for use in ("k.marginal(x, 2)", "m.step(x, 2)", "dpm.bound(m, x, generator=g)",
                      "m.sample(2, generator=g)", "k.prior((3, 2))", "m.state_dict()", "m.float()",
                      "copy.deepcopy(m)")
      for row in rows("beta", f"[k.•, {use}]", "beta.mul_(0.5)", "beta.__setitem__(0, 0.9)",
                      "__setattr__('beta', k2.beta)")),
    # laws of data
    *rows("mean", "dpm.GaussianLaw(•, x[0])", "None", "NAN * x[0]", "x[0].half()", "x[:0]"),
    *rows("variance", "dpm.GaussianLaw(x[0], •)", "None", "NAN * x[0]", "-x[0]", "0 * x[0]", "x",
          "x[0].float()"),
    *rows("weights", "dpm.MixtureLaw(•, x, x[0, 0])", "None", "NAN * x[:, 0]", "-x[:, 0]",
          "0 * x[:, 0]", "x", "x[0]", "x[:0, 0]"),
    *rows("means", "dpm.MixtureLaw(x[:, 0], •, x[0, 0])", "None", "NAN * x", "x[0]", "INF * x"),
    *rows("variance", "dpm.MixtureLaw(x[:, 0], x, •)", "None", "0.1", "-x[0, 0]", "x[0]", "x"),
    *rows("patterns", "dpm.PatternLaw(•, x[:, 0])", "None", "x / 2", "x", "x[0]", "NAN * x"),
    *rows("weights", "dpm.PatternLaw(torch.eye(3).double(), •)", "None", "-ones", "0 * ones", "x",
          "ones[:2]", "NAN * ones"),
    *(row for data, kernel, other in (("law", "k", "b"), ("mixture", "k", "b"),
                                      ("dpm.heartbeat(6)", "b", "k")) for row in [
        *rows("n", f"{data}.sample(•, g)", *NO_COUNT),
        *rows("generator", f"{data}.sample(2, •)", *NO_GENERATOR),
        *rows("x", f"{data}.log_prob(•)", "None", "x.half()", "x.float()", "NAN * x", "x[:, :1]"),
        *(row for call in ("marginal({}, 2)", "reversal({})", "entropy({}, 2)",
                           "reverse_entropy({}, 2)", "optimum({})", "step_loss({}, 2)")
          for row in rows("kernel", f"{data}.{call.format('•')}", "None", "x", other)),
        *rows("t", f"{data}.reverse_entropy({kernel}, •)", "1", "5", "2.0", "True", "ones.long()"),
        *(row for call in ("marginal", "entropy")
          for row in rows("t", f"{data}.{call}({kernel}, •)", "0", "5", "2.0", "True",
                          "ones.long()", "ones.long()[:1]")),
        *rows("t", f"{data}.step_loss({kernel}, •)", "1", "5", "2.0", "ones.long()"),
    ]),
    *rows("kernel", "law.gap(•)", "None", "b"),
    *rows("kernel", "law.model_law(•)", "None", "b"),
    *rows("data", "law.log_likelihood(•)", "None", "mixture", "dpm.GaussianLaw(ones, ones)"),
    ("mixture3.entropy(k, 1)", "d"),
    ("mixture3.step_loss(k, 2)", "d"),
    ("dpm.heartbeat(21).step_loss(b, 2)", "d"),
    ("dpm.heartbeat(21).entropy(b, 1)", "d"),
    ("dpm.MixtureLaw(x[:, 0], outliers[:3], 1e-9 * x[0, 0]).entropy(k, 1)",
     "variance"),
    *rows("noise", "dpm.swiss_roll(•)", *NO_NUMBER, "1", "2.0"),
    *rows("nodes", "dpm.swiss_roll(0.1, •)", *NO_COUNT),
    *rows("length", "dpm.heartbeat(•)", *NO_COUNT, "4"),
    *(row for call in ("swiss_roll", "heartbeat") for row in [
        *rows("dtype", f"dpm.{call}(dtype=•)", *NO_DTYPE),
        *rows("device", f"dpm.{call}(device=•)", *NO_DEVICE),
    ]),
    *(row for call in ("digits", "learning.data.textbook_digits", "mnist", "cifar10") for row in [
        *rows("generator", f"dpm.{call}(generator=•)", *NO_GENERATOR),
        *rows("dtype", f"dpm.{call}(generator=g, dtype=•)", *NO_DTYPE),
        *rows("device", f"dpm.{call}(generator=g, device=•)", *NO_DEVICE),
    ]),
    *rows("x", "parzen(•, x, 0.1)", "None", "NAN * x", "x.long()", "x[:0]"),
    *rows("centres", "parzen(x, •, 0.1)", "None", "NAN * x", "x.float()", "x[:, :1]", "x[:0]"),
    *rows("width", "parzen(x, x, •)", *NO_NUMBER),
    *rows("width", "parzen(x, x + 1, •)", "1e-200", "1e-300"),
    *rows("widths", "best_width(x, x, •)", "None", "0.1", "x", "ones[:0]"),
    ("best_width(x, x, 0 * ones)", "width"),
    # what is known
    *rows("y", "dpm.Noisy(•, 0.1)", "None", "3.0", "NAN * x", "x.half()", "x[:0]"),
    *rows("s", "dpm.Noisy(x[0], •)", *NO_NUMBER, "-x[0]", "NAN * x[0]", "ones"),
    *rows("values", "dpm.Known(•, x[0] > 0)", "None", "NAN * x[0]", "x[0].long()"),
    *rows("mask", "dpm.Known(x[0], •)", "None", "x[0]", "x[0] < 0", "x > 0", "ones > 0"),
    *rows("y", "dpm.Flipped(•, 0.1)", "None", "x / 2", "NAN * x"),
    *rows("c", "dpm.Flipped(x[0], •)", *NO_NUMBER, "1", "1.5"),
    *(row for call in ("sample_given({}, {}, {}, generator={}, rule={})",
                       "particles({}, {}, {}, generator={}, rule={})") for row in [
        *rows("model", "dpm." + call.format("•", "seen", "3", "g", "dpm.paper_rule"), *NO_MODEL),
        *rows("likelihood", "dpm." + call.format("m", "•", "3", "g", "dpm.paper_rule"), "None", "x",
              "dpm.Noisy(ones, 0.1)", "dpm.Flipped(x[0], 0.1)", "dpm.Noisy(x[0].float(), 0.1)",
              "dpm.Known(ones, ones > 0)", "lambda u: u", "lambda u: NAN * u.sum(1)",
              "lambda u: u.sum(1).detach()", "lambda u: (0 * u.sum(1)).sqrt()"),
        *rows("likelihood", "dpm." + call.format("m", "•", "3", "g", "dpm.predicted_rule"),
              "lambda u: NAN * u.sum(1)", "lambda u: u.sum(1).detach()"),
        *rows("likelihood", "dpm." + call.format("bm", "•", "3", "g", "dpm.predicted_rule"),
              "seen", "lambda u: u.sum(1)", "dpm.Known(x[0] / 2, x[0] > 0)"),
        *rows("likelihood", "dpm." + call.format("m", "•", "3", "g", "dpm.tempered_rule"),
              "dpm.Known(x[0], x[0] > 0)"),
        *rows("n", "dpm." + call.format("m", "seen", "•", "g", "dpm.paper_rule"), *NO_COUNT),
        *rows("generator", "dpm." + call.format("m", "seen", "3", "•", "dpm.paper_rule"),
              *NO_GENERATOR),
        *rows("rule", "dpm." + call.format("m", "seen", "3", "g", "•"), "None", "'paper'",
              "lambda m, r, n: None"),
        *rows("law", "dpm." + call.format("m", "seen", "3", "g", "dpm.exact_rule(•)"), "None", "x",
              "mixture", "dpm.heartbeat(5)", "dpm.GaussianLaw(0 * x[0], 2 * x[0])"),
    ]),
    ("dpm.particles(m, dpm.Noisy(x, 0.1), 3, generator=g)", "likelihood"),
    ("dpm.particles(m, dpm.Known(x[0], x[0] > 0), 3, generator=g, rule=dpm.paper_rule)", "rule"),
    *rows("resample_below", "dpm.particles(m, seen, 3, generator=g, resample_below=•)", "-0.1",
          "1.1", "NAN", "None", "True", "'0'"),
    ("dpm.particles(m, lambda u: torch.full_like(u[:, 0], -INF), 3, generator=g, "
     "rule=dpm.paper_rule)", "likelihood"),
    ("dpm.sample_given(exact, lambda u: u.sum(1), 3, generator=g, rule=dpm.exact_rule(law))",
     "likelihood"),
    *rows("model", "dpm.moments_given(•, seen, dpm.paper_rule)", "None", "x",
          "returns(lambda xt, t: normal(xt**2, 1))", "dpm.ReverseProcess(k, mixture.reversal(k))"),
    *rows("likelihood", "dpm.moments_given(m, •, dpm.paper_rule)", "None",
          "dpm.Noisy(x, 0.1)"),
    ("dpm.paper_rule(dpm.ReverseProcess(k, mixture.reversal(k)), lambda u: u.sum(1), 3)"
     ".look(x, 2)", "likelihood"),
    # found by reading
    *rows("network", "dpm.ReverseProcess(k, lambda xt, t: •, (3,))", "torch.stack([xt, xt], -1)",
          "xt.T", "torch.cat([xt, xt], 0)"),
    ("dpm.ReverseProcess(k, lambda xt, t: xt.transpose(1, 2), (2, 3))", "network"),
    *rows("rule", "dpm.moments_given(m, seen, •)", "None", "dpm.exact_rule"),
    ("dpm.Noisy(x[0].float(), x[0])", "s"),
    *rows("likelihood", "dpm.sample_given(m, •, 3, generator=g)", "lambda u: 0.0",
          "lambda u: u.sum(1).detach().numpy()"),
    ("dpm.sample_given(returns(lambda xt, t: normal(xt, 1), dpm.GaussianKernel("
     "torch.tensor([0.5, 1.0, 0.5]))), dpm.Noisy(x[0].float(), 0.1), 3, generator=g)", "model"),
    ("dpm.divergence(normal(x, 1.0), normal(x[:, :1], 1.0), g)", "p"),
    ("dpm.perturbed(Independent(Bernoulli(0.5 * ones), 1), lambda y: y.sum(-1))", "law"),
    *rows("dtype", "k.prior((3, 2), •)", "torch.int64", "torch.float16", "'float32'"),
    ("m.step(x.half(), 3)", "xt"),
    ("doors.device_like('meta')", "device"),
    ("dpm.evaluate(identity, np.ma.array(x.numpy(), mask=x.numpy() > 2), generator=g)", "x0"),
    ("dpm.Scaler(torch.full((3, 1), 0.1).double())", "y"),
    ("dpm.Scaler(torch.cat([x, 0.1 * x], 1), per_coordinate=True)", "y"),
    ("dpm.swiss_roll(nodes=1)", "nodes"),
    ("m.network(x, torch.tensor(2))", "t"),
    ("plots.image_grid(torch.zeros(2, 4, 4), 0)", "images"),
    ("plots.image_grid(torch.zeros(0, 4, 4), 2)", "images"),
    ("plots.write_samples(file.with_suffix('.png'), torch.zeros(0, 2))", "samples"),
    ("dpm.save(dpm.ReverseProcess(k, mlp(k), scaler=torch.nn.Identity()), file)", "scaler"),
    *rows("notes", "dpm.save(m, file, notes={'a': •})", "ones", "NAN"),
    ("checkpoints.save(m, file, beside={'a': [1]})", "beside"),
    *rows("network", "dpm.load(dpm.save(m, file), network=•)", "'MLP'", "lambda kernel: None",
          "lambda kernel, event: None"),
    # records
    *rows("recipe", "experiments.run(•, file.parent, seed=0)", "'cifar'", "None", "3"),
    *rows("seed", "experiments.run('swiss-roll', file.parent, seed=•)", "None", "1.5", "-1",
          "True"),
    *rows("steps", "experiments.run('swiss-roll', file.parent, seed=0, steps=•)", "0", "-5",
          "1.5", "True"),
    *rows("device", "experiments.run('swiss-roll', file.parent, seed=0, device=•)", *NO_DEVICE),
    *rows("experiment", "list(experiments.run_all(•, seeds=1))", "'cifar'", "None"),
    *rows("seeds", "list(experiments.run_all('digits', seeds=•))", *NO_COUNT),
    *rows("device", "list(experiments.run_all('digits', seeds=1, device=•))", *NO_DEVICE),
    *rows("name", "dpm.recorded(•)", "'../x'", "''", "None", "'a/b'"),
    *rows("name", "record(•, [])", "'../x'", "''", "None"),
    *rows("runs", "record('a', •)", "[{}]", "[{'K': 1.0}]", "None", "[3]"),
    *rows("dtype", "dpm.rounding(•, 4)", "None", "torch.int64", "'float64'"),
    *rows("operations", "dpm.rounding(torch.float64, •)", *NO_NUMBER),
]  # fmt: skip


torch.optim.Adam(
    [torch.zeros(1, requires_grad=True)]
)  # the first of a process imports for a second


@pytest.fixture
def things():
    """What the calls of the table are made with: all new for each row."""
    beta = torch.tensor([0.1, 0.2, 0.3, 0.4]).double()
    k, k2 = dpm.GaussianKernel(beta), dpm.GaussianKernel(beta * 1.01)
    b, b2 = dpm.BinomialKernel(beta), dpm.BinomialKernel(beta * 1.01)
    g = torch.Generator().manual_seed(0)
    x = torch.ones(3, 2).double()

    def mlp(kernel):
        return dpm.MLPNetwork(kernel, (2,), hidden=4, layers=1, generator=g)

    def mlp_model(kernel):
        return dpm.ReverseProcess(kernel, mlp(kernel))

    def returns(formula, kernel=k):
        return dpm.ReverseProcess(kernel, dpm.ClosedForm(torch.Size([2]), formula))

    def normal(mean, scale):
        scale = torch.full_like(mean, scale)
        return Independent(Normal(mean, scale, validate_args=False), 1, validate_args=False)

    outliers = torch.zeros(1000, 2).double()
    outliers[0] = 600.0
    return dict(  # noqa: C408
        beta=beta, k=k, k2=k2, b=b, b2=b2, g=g, x=x, mlp=mlp, mlp_model=mlp_model,
        rbf=lambda kernel: dpm.RBFNetwork(kernel, generator=g), returns=returns, normal=normal,
        bits=lambda p: Independent(Bernoulli(p, validate_args=False), 1, validate_args=False),
        scaled=dpm.ReverseProcess(
            k, mlp(k), scaler=dpm.Scaler(torch.eye(3, 2).double(), per_coordinate=True)
        ),
        m=mlp_model(k), bm=mlp_model(b), ones=torch.ones(3).double(), outputs=(x, x),
        identity=dpm.ReverseProcess(k, dpm.identity_network(k, (2,))), outliers=outliers,
        seen=dpm.Noisy(x[0], 0.1),
        exact=dpm.ReverseProcess(k, dpm.GaussianLaw(0 * x[0], x[0]).reversal(k)),
        chain=torch.ones(5, 3, 2).double(), law=dpm.GaussianLaw(0 * x[0], x[0]),
        mixture=dpm.MixtureLaw(x[:, 0], torch.eye(3, 2).double(), x[0, 0]),
        mixture3=dpm.MixtureLaw(x[:, 0], torch.eye(3).double(), x[0, 0]),
        cuda="cuda" if not torch.cuda.is_available() else "cuda:99",
        dpm=dpm, schedules=dpm.schedules, forward=dpm.forward, experiments=experiments,
        record=record, temporal_bumps=temporal_bumps, parzen=parzen, best_width=best_width,
        torch=torch, np=np, plots=plots, doors=doors, checkpoints=checkpoints, NAN=NAN, INF=INF,
        Bernoulli=Bernoulli,
        Normal=Normal, Gamma=Gamma, Independent=Independent,
        Categorical=Categorical, copy=copy,
    )  # fmt: skip


@pytest.mark.parametrize(("call", "argument"), TABLE, ids=[call for call, _ in TABLE])
def test_bad_call_is_refused_by_name(call, argument, things, tmp_path, monkeypatch):
    """Within a second of work, with the argument, what is expected and what came."""
    monkeypatch.setattr("dpm_lib.learning.evaluation.EXPERIMENTS", tmp_path)
    begin = time.process_time()
    with pytest.raises((ValueError, TypeError)) as caught:
        eval(call, things | {"file": tmp_path / "a.safetensors"})
    assert time.process_time() - begin < 1
    words = str(caught.value)
    assert re.match(rf"{argument} must .*(, got| got| was made| it | they ).+", words), words
    assert "\n" not in words
    assert not list(tmp_path.glob("*.json"))


@pytest.fixture(scope="module")
def ready():
    """What the first command of a process imports and hashes is not its work."""
    importlib.import_module("dpm_lib.plots")
    library_version()
    CliRunner().invoke(app, ["evaluate", "no-such-file"])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "Missing command"),
        ("frob", "No such command 'frob'"),
        ("record", "Missing argument '(experiment|EXPERIMENT)'"),
        ("record cifar", "experiment must be one of .*, got 'cifar'"),
        ("record digits more", "unexpected extra argument"),
        *((f"record digits --seeds {n}", "'--seeds'") for n in ("0", "-1", "1.5", "x")),
        *((f"record digits --device {name}", "device must be .*, got '.*'") for name in (
            "warp", "cpu:x", "cuda:99")),
        ("record digits --out {file}", "folder must be .*, got"),
        ("record digits --out {file}/in", "folder must be .*, got"),
        ("record digits --out {locked}", "folder must be .*, got"),
        ("record digits --steps 3", "No such option"),
        ("equations --frob", "No such option"),
        ("equations extra", "unexpected extra argument"),
        ("equations --json=yes", "'--json'"),
        ("train", "Missing argument '(recipe|RECIPE)'"),
        ("train cats", "recipe must be one of .*, got 'cats'"),
        ("train swiss-roll --steps 0", "steps must be an integer >= 1, got 0"),
        ("train swiss-roll --seed -1", "seed must be an integer >= 0, got -1"),
        ("train swiss-roll --device warp", "device must be .*, got 'warp'"),
        ("train swiss-roll --dtype int8", "dtype must be one of .*, got 'int8'"),
        ("train swiss-roll --steps 1 --out {file}", "folder must be .*, got"),
        ("train swiss-roll --steps 1 --out {locked}/in", "folder must be .*, got"),
        ("train swiss-roll --frob", "No such option"),
        ("evaluate", "Missing argument '(checkpoint|CHECKPOINT)'"),
        ("evaluate {file}", "file must be a whole safetensors file, it cannot be read"),
        ("evaluate {file}/none", "path must name a file, there is no"),
        ("evaluate {locked}", "path must name a file, there is no"),
        ("evaluate {file} --device warp", "device must be .*, got 'warp'"),
        ("sample", "Missing argument '(checkpoint|CHECKPOINT)'"),
        ("sample {file}", "file must be a whole safetensors file, it cannot be read"),
        ("sample {file} --n x", "'--n'"),
        ("data", "Missing argument '(name|NAME)'"),
        ("data cats", "name must be one of .*, got 'cats'"),
        ("data digits --seed -1", "seed must be an integer >= 0, got -1"),
        ("slips --json", "No such option"),
        ("slips extra", "unexpected extra argument"),
    ],
)  # fmt: skip
def test_bad_command_ends_in_one_line(command, words, tmp_path, monkeypatch, ready):
    """With exit code 2, within a second of work, and with nothing written."""
    monkeypatch.setattr("dpm_lib.learning.evaluation.EXPERIMENTS", tmp_path)
    file, locked = tmp_path / "file", tmp_path / "locked"
    file.write_text("")
    locked.mkdir(mode=0o555)
    if "{locked}" in command and os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    begin = time.process_time()
    result = CliRunner().invoke(app, command.format(file=file, locked=locked).split())
    assert time.process_time() - begin < 1
    assert result.exit_code == 2
    assert re.fullmatch(rf"Error: .*{words}.*\n", result.output), result.output
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "locked", "digits.part.lock"}


def test_the_table_is_long_and_misses_nobody():
    """Every public function and class that takes arguments stands in the table."""
    assert len(TABLE) == len(set(TABLE)) >= 300
    called = {name for call, _ in TABLE for name in re.findall(r"\w+", call)}
    public = {name for name in dpm.__all__ if callable(getattr(dpm, name))}
    no_door = {"Bound", "ClosedForm", "EntropyBounds", "Estimate", "Kernel", "LogLikelihood",
               "Moments", "Particles",
               "library_version", "check", "prove"}  # fmt: skip
    assert public - called == no_door
