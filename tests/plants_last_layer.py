"""The planted errors of the last layer's bounds, of the best constant mask and of their figures."""

from __future__ import annotations

from tests.plants import Plant

LAYER, EVIDENCE = "tests/training/test_last_layer.py", "tests/bounds/test_evidence.py"
FIGURE = "tests/paper_figures/test_certificates.py"

PLANTS = [
    Plant("training/last_layer.py", "batch, order = indices[order[:size]], order[size:]",
          "batch, order = order[:size], order[size:]", LAYER),
    Plant("training/last_layer.py", "for parameter in net.parameters():\n        parameter.requires_grad_(False)",
          "pass", LAYER),
    Plant("training/last_layer.py", "net, before = copy.deepcopy(half), _weights(half, config)",
          "net, before = half, _weights(half, config)", LAYER),
    Plant("training/last_layer.py", "squares = head.pooled(x).double().square().sum(dim=-1)",
          "squares = head.pooled(x).double().abs().sum(dim=-1)", LAYER),
    Plant("training/last_layer.py", "padding=layer.padding, dilation=layer.dilation)",
          "padding=layer.padding[0] // 4)", LAYER),
    Plant("training/last_layer.py", "return (place + 0.5) * step", "return place * step", LAYER),
    Plant("training/last_layer.py", '"distance": float((own - old).norm())', '"distance": float(own.norm())', LAYER),
    Plant("training/last_layer.py", "least = config.min_half_width / (min(height, width) - 1)",
          "least = config.min_half_width", LAYER),
    Plant("training/last_layer.py", "nats += float(paid)", "nats = float(paid)", LAYER),
    Plant("theory/bounds/evidence.py", '"n_samples": images, "log_size": 0.0}', '"n_samples": 2 * images, "log_size": 0.0}', EVIDENCE),
    Plant("training/constant.py", "return AllMasks(height, width, empty=True)", "return Rectangles(height, width)", LAYER),
    Plant("training/constant.py", "weights = truths.to(torch.int64).sum(dim=0).numpy()",
          "weights = truths[:1].to(torch.int64).sum(dim=0).numpy()", LAYER),
    Plant("training/certificate.py", "if size <= MOST_WEIGHTS else ()", "", LAYER),
    Plant("theory/bounds/evidence.py", " + math.log(len(bits))", "", EVIDENCE),
    Plant("theory/bounds/evidence.py", "(np.random.default_rng(seed).random(len(losses)) < losses)",
          "(np.random.default_rng(seed).random() < losses)", EVIDENCE),
    Plant("theory/bounds/evidence.py", 'for size, who in (("weight_norm", name), ("distance", "near-layer")):',
          'for size, who in (("weight_norm", name), ("weight_norm", "near-layer")):', EVIDENCE),
    Plant("theory/bounds/clopper_pearson.py", 'np.isin(given["losses"], (0, 1)).all()', "True", "tests/bounds/test_table.py"),
    Plant("paper_figures/certificates.py", 'if bound["bound"] == "contraction":', "if True:", FIGURE),
    Plant("paper_figures/certificates.py", 'row["method"] == "rectangle" else 1.0', 'row["method"] == "rectangle" else 0.5', FIGURE),
]
