"""The modules where they are traced, mapped, cast, laid out and timed otherwise than plainly."""

import copy
import time
import warnings

import pytest
import torch

from tests.training.test_attention import HEADS, features, module
from tests.training.test_attention_peers import peer
from theory.rectangle import grid, log_soft_rectangle
from training.attention import set_scale
from training.attention_peers import simam_weights

OPTIONS = ({}, {"count": 2, "shape": "ellipse", "gate": True, "half_widths": "linear"})
PEERS = ("positionwise", "cbam", "simam", "fixed")
NONDETERMINISTIC = ("Grid", "Adaptive", "MaxPool", "Cumsum", "Index", "Scatter", "Upsample",
                    "Interpolate", "ReflectionPad", "ReplicationPad", "Put", "Median", "Sort")


def every_module():
    made = {f"{head}{i}": module(head, **options) for head in HEADS for i, options in enumerate(OPTIONS)}
    return {**made, **{name: peer(name) for name in PEERS}}


@pytest.fixture(autouse=True)
def clean():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize(("name", "backend"), [
    ("coords0", "aot_eager"), ("light1", "aot_eager"), ("paper0", "eager"), ("softargmax0", "eager"),
    ("positionwise", "eager"), ("cbam", "eager"), ("simam", "eager"), ("fixed", "eager")])
def test_one_compiled_graph_for_all_s_gives_the_same(name, backend):
    attention, x = every_module()[name], features(width=6)
    compiled = torch.compile(attention, fullgraph=True, backend=backend)
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for s in (6.0, 1.0, 2.5):
        set_scale(attention, s)
        out, found = compiled(x, return_map=True)
        wanted, expected = attention(x, return_map=True)
        assert torch.allclose(out, wanted, atol=1e-5)
        assert torch.allclose(found.logit(), expected.logit(), rtol=1e-4, atol=1e-4)
        compiled(x)
        assert torch.allclose(attention.last.f, expected.f, atol=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] - before == 2  # with and without map


@pytest.mark.parametrize("name", every_module())
def test_export_gives_the_same(name):
    attention, x = every_module()[name], features(width=6)
    program = torch.export.export(attention, (x,), strict=False)
    assert attention.last is None
    assert torch.allclose(program.module()(x), attention(x), atol=1e-5)


def test_onnx_gives_the_same(tmp_path):
    import onnxruntime
    attention, x = module("light", count=2, gate=True).eval(), features(width=6)
    with torch.no_grad(), warnings.catch_warnings():
        attention.gate.fill_(0.7)
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(attention, (x,), tmp_path / "light.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "light.onnx")
    (out,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert torch.allclose(torch.from_numpy(out), attention(x), atol=1e-4)


@pytest.mark.parametrize("name", [f"{head}{i}" for head in HEADS for i in range(len(OPTIONS))])
def test_vmap_over_weights_is_a_loop_over_modules(name):
    first = every_module()[name]
    second = copy.deepcopy(first)
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.add_(0.01)
    parameters, buffers = torch.func.stack_module_state([first, second])
    template = copy.deepcopy(first).to("meta")
    template.s = first.s = second.s = 3.0
    xs = torch.stack([features(width=6), features(width=6, seed=1)])

    def call(p, b, x):
        return torch.func.functional_call(template, (p, b), (x,))

    out = torch.func.vmap(call)(parameters, buffers, xs)
    for member, x, got in zip((first, second), xs, out, strict=True):
        assert torch.allclose(got, member(x), atol=1e-5)
    assert template.last is None  # tensors of a transform do not outlive it


@pytest.mark.parametrize("name", every_module())
def test_half_precision_in_and_out_with_the_map_in_single(name):
    attention = every_module()[name]
    if attention.gate is not None:
        torch.nn.init.constant_(attention.gate, 0.5)
    x = features(width=6).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out, found = attention(x, return_map=True)
    assert out.dtype == torch.bfloat16 and found.log_f.dtype == torch.float32
    if found.rectangle is not None:
        assert found.parameters.dtype == torch.float32
        if found.shape == "rectangle":
            points = grid(8, 6, like=found.f)
            expected = log_soft_rectangle(found.rectangle, points, 6.0)
            assert torch.allclose(found.log_f, expected, rtol=1e-5, atol=1e-5)
    out.sum().backward()
    assert x.grad.dtype == torch.bfloat16
    assert torch.allclose(out.float(), attention(x.float()), rtol=0.1, atol=0.15)


@pytest.mark.parametrize("head", HEADS)
def test_modules_kept_in_half_precision(head):
    out, found = module(head).bfloat16()(features().bfloat16(), return_map=True)
    assert out.dtype == torch.bfloat16 and found.log_f.dtype == torch.float32


@pytest.mark.parametrize("name", every_module())
def test_channels_last_is_kept_forwards_and_backwards(name):
    attention = every_module()[name]
    plain = features(width=6).requires_grad_()
    last = plain.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    outs = [attention(x) for x in (plain, last)]
    weights = features(width=6, seed=3)
    for out in outs:
        (out * weights).sum().backward()
    assert outs[0].is_contiguous() and outs[1].is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(*outs, atol=1e-5) and torch.allclose(plain.grad, last.grad, atol=1e-4)


@pytest.mark.parametrize("head", HEADS)
def test_training_after_inference_mode(head):
    """What a call for inference keeps (the grid) may be used by one that trains."""
    attention, x = module(head), features(height=7, width=13)
    with torch.inference_mode():
        before = attention(x)
    out = attention(x)
    out.sum().backward()
    assert torch.equal(out, before)


def graph_nodes(tensor):
    seen, todo = {}, [tensor.grad_fn]
    while todo:
        node = todo.pop()
        if node is not None and id(node) not in seen:
            seen[id(node)] = node
            todo += [n for n, _ in node.next_functions]
    return {type(node).__name__ for node in seen.values()}


@pytest.mark.parametrize("name", every_module())
def test_backward_is_deterministic(name):
    """No operation whose backward is not deterministic on a GPU, and the same bits twice."""
    attention, x = every_module()[name], features(width=6).requires_grad_()
    gradients = []
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        for _ in range(2):
            out, found = attention(x, return_map=True)
            total = out.square().sum() + found.logit().sum()
            leaves = [x, *attention.parameters()]
            gradients.append(torch.autograd.grad(total, leaves, allow_unused=True))
    finally:
        torch.use_deterministic_algorithms(before)
    assert not [n for n in graph_nodes(total) if any(bad in n for bad in NONDETERMINISTIC)]
    for first, second in zip(*gradients, strict=True):
        assert first is second is None or torch.equal(first, second)


def best_times(calls, x, turns=15):
    """The least CPU time of forward and backward, by name."""
    seconds = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            for timed in (False, True):
                x.grad, start = None, time.thread_time()
                call(x).backward(x.detach())
                if timed:
                    seconds[name].append(time.thread_time() - start)
    return {name: min(v) for name, v in seconds.items()}


def test_the_search_for_operations_finds_them():
    x = features().requires_grad_()
    assert any("MaxPool" in n for n in graph_nodes(torch.nn.functional.max_pool2d(x, 2).sum()))


def test_light_head_is_no_slower_than_simam():
    """Forward and backward at 960 x 7 x 7, batch 32, channels last as networks run on a CPU: CPU time
    of one thread, in turns, each after a call to warm up.

    SimAM without the map that our module of it keeps.
    """
    x = torch.randn(32, 960, 7, 7, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    light = module("light", 960)
    calls = {"light": light, "simam": lambda x: x * simam_weights(x)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(4):  # a busy machine may spoil the best of a few: it is asked again
            best = best_times(calls, x)
            if best["light"] <= best["simam"]:
                break
    finally:
        torch.set_num_threads(threads)
    assert best["light"] <= best["simam"]
