"""Many small runs at once: networks that differ in seed and start, stacked and trained together.

``torch.func`` maps one forward and backward pass over the members, so that a sweep of small
networks fills a GPU.  Adam works on each number by itself: every member is trained as if it were
alone, up to the order of sums.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from training.config import RunConfig
from training.data import Prepared
from training.fit import (
    HISTORY,
    RECENT,
    Training,
    TrainingError,
    TrainingLoss,
    set_schedules,
)


def alike(configs: Sequence[RunConfig]) -> bool:
    """Whether the configurations differ in the seed alone, and may be stacked."""
    from dataclasses import replace

    return len({replace(config, seed=0).key for config in configs}) == 1


class Ensemble:
    """Training of several configurations that differ in the seed alone.

    Args:
        configs, data: one of each a seed.

    Raises:
        ValueError: configurations that differ in more, or ask for ``compile``.
    """

    def __init__(self, configs: Sequence[RunConfig], data: Sequence[Prepared]) -> None:
        if not configs or not alike(configs):
            raise ValueError("the members of an ensemble differ in the seed alone")
        if configs[0].compile:
            raise ValueError("an ensemble is not compiled: set compile=False")
        self.config = configs[0]
        starts = range(self.config.starts if self.config.learnt else 1)
        self.members = [[Training(config, held, start) for start in starts]
                        for config, held in zip(configs, data, strict=True)]
        self.step = 0

    def fit(self) -> list[Training]:
        """Train all; the member with the lowest loss at the trial goes on for every seed."""
        if len(self.members[0]) > 1:
            self._advance([run for runs in self.members for run in runs], self.config.trial_steps)
            self.members = [[min(runs, key=lambda run: run.trial_loss)] for runs in self.members]
        chosen = [runs[0] for runs in self.members]
        self._advance(chosen, self.config.steps)
        for run in chosen:
            run.finish()
        return chosen

    def _advance(self, runs: list[Training], until: int) -> None:
        config = self.config
        losses = [TrainingLoss(run.net, config) for run in runs]
        parameters, buffers = stack_module_state(losses)
        template = copy.deepcopy(losses[0]).to("meta")
        optimizer = _stacked_adam(runs, parameters)

        def one(p: dict[str, Tensor], b: dict[str, Tensor], *batch: Tensor) -> Tensor:
            return functional_call(template, (p, b), batch)

        for step in range(self.step, until):
            if step % max(1, config.steps // HISTORY) == 0:
                self._unstack(runs, parameters, buffers)
                for run in runs:
                    run.remember(step)
            set_schedules(template.net, optimizer, runs[0].rates, config, step)
            batches = [run.prepared_batch(step) for run in runs]
            stacked = [torch.stack(parts) for parts in zip(*batches, strict=True)]
            totals = vmap(one, randomness="error")(parameters, buffers, *stacked)
            means = totals / len(batches[0][1])
            values = means.detach().cpu().double().numpy()
            if not np.isfinite(values).all():
                bad = runs[int(np.flatnonzero(~np.isfinite(values))[0])]
                raise TrainingError(f"{bad.config.key}: step {step}: the loss is not finite")
            optimizer.zero_grad()
            means.sum().backward()
            optimizer.step()
            for run, value in zip(runs, values.tolist(), strict=True):
                run.losses = [*run.losses[1 - RECENT:], value]
                run.step = step + 1
                if run.step == config.trial_steps:
                    run.trial_loss = float(np.mean(run.losses))
        self.step = until
        self._unstack(runs, parameters, buffers)
        _unstack_adam(runs, optimizer)

    @staticmethod
    def _unstack(runs: list[Training], parameters: dict, buffers: dict) -> None:
        """The members' weights back into their networks."""
        with torch.no_grad():
            for k, run in enumerate(runs):
                loss = TrainingLoss(run.net, run.config)
                own = {**dict(loss.named_parameters()), **dict(loss.named_buffers())}
                for name, value in {**parameters, **buffers}.items():
                    own[name].copy_(value[k])


def _stacked_adam(runs: list[Training], parameters: dict[str, Tensor]) -> torch.optim.Optimizer:
    """Adam on the stacked parameters in the groups, and with the state, of the members' own."""
    first = TrainingLoss(runs[0].net, runs[0].config)
    names = {id(p): name for name, p in first.named_parameters()}
    groups = [{**{k: v for k, v in group.items() if k != "params"},
               "params": [parameters[names[id(p)]] for p in group["params"]]}
              for group in runs[0].optimizer.param_groups]
    optimizer = torch.optim.Adam(groups)
    for g, group in enumerate(optimizer.param_groups):
        for k, p in enumerate(group["params"]):
            states = [run.optimizer.state[run.optimizer.param_groups[g]["params"][k]]
                      for run in runs]
            if states[0]:
                optimizer.state[p] = {
                    "step": states[0]["step"].clone(),
                    **{name: torch.stack([s[name] for s in states])
                       for name in ("exp_avg", "exp_avg_sq")}}
    return optimizer


def _unstack_adam(runs: list[Training], optimizer: torch.optim.Optimizer) -> None:
    for g, group in enumerate(optimizer.param_groups):
        for k, p in enumerate(group["params"]):
            state: dict[str, Any] = optimizer.state[p]
            for m, run in enumerate(runs):
                own = run.optimizer.param_groups[g]["params"][k]
                run.optimizer.state[own] = {
                    "step": state["step"].clone(),
                    **{name: state[name][m].clone() for name in ("exp_avg", "exp_avg_sq")}}
