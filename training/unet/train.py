"""Trains the network: python train.py --data DIR... --out DIR [--steps N] [--resume].

Writes OUT/checkpoint.pt, OUT/best.pt (the best on the validation tomograms) and OUT/log.jsonl, a line per validation. A training
that was stopped goes on from its checkpoint with --resume, and sees the crops that it would have seen.
"""

import argparse
import copy
import json
import os
import platform
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import scoring
from data import BACKGROUND, BALL, TARGETS, Crops, read_project, reach_of
from network import CLASSES, MULTIPLE, UNet, commit, parameter_count

RADII = np.array([scoring.metric.RADIUS[name] for name in CLASSES])


# Of a cell of the smallest particle. A high one finds particles soon, a low one makes scores that can be told apart.
MOST = {'ball': 32, 'peak': 8}


def class_weights(target):
    """Of a cell in the cross-entropy: background 1, particles more, small ones most, as they have fewer cells."""
    volumes = np.array([reach_of(radius, target) for radius in RADII]) ** 3
    return torch.tensor([*(MOST[target] / np.sqrt(volumes / volumes.min())), 1.0], dtype=torch.float32)


def entropy_of(logits, labels, shares, weights, smoothing=0.01):
    """Cross-entropy with the share of the label and, for the rest, background; a little of everything besides."""
    logs = functional.log_softmax(logits, 1)
    label = logs.gather(1, labels[:, None])[:, 0]
    wanted = torch.where(labels < BACKGROUND, shares * label + (1 - shares) * logs[:, BACKGROUND], label)
    weight = weights[labels]
    return -(weight * ((1 - smoothing) * wanted + smoothing * logs.mean(1))).sum() / weight.sum()


def tversky(probabilities, labels, shares, missed=0.7):
    """1 - Tversky index, mean over the particle classes in the batch; missed cells cost more than cells too many."""
    truth = functional.one_hot(labels, BACKGROUND + 1).movedim(-1, 1)[:, :BACKGROUND] * shares[:, None]
    guess = probabilities[:, :BACKGROUND]
    over = (0, 2, 3, 4)
    hit = (guess * truth).sum(over)
    index = (hit + 1) / (hit + missed * ((1 - guess) * truth).sum(over) + (1 - missed) * (guess * (1 - truth)).sum(over) + 1)
    present = truth.amax(over) > 0
    return ((1 - index) * present).sum() / present.sum().clamp(min=1)


def loss_of(logits, labels, shares, weights):
    logits = logits.float()
    return entropy_of(logits, labels, shares, weights) + 0.5 * tversky(logits.softmax(1), labels, shares)


class Average:
    """An exponential moving average of a network's weights and statistics, which is what is validated and exported."""

    def __init__(self, network, decay):
        self.network, self.decay = copy.deepcopy(network).eval(), decay

    @torch.no_grad()
    def update(self, network, step):
        # Young averages forget their random beginning.
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for mine, new in zip(self.network.state_dict().values(), network.state_dict().values()):
            if mine.is_floating_point():
                mine.lerp_(new, share)
            else:
                mine.copy_(new)


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def save(path, content):
    """Whole or not at all."""
    torch.save(content, path.with_suffix('.part'))
    os.replace(path.with_suffix('.part'), path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--data', type=Path, nargs='+', required=True, help='folders that make-data.ts wrote')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--steps', type=int, default=DEFAULT_STEPS)
    parser.add_argument('--target', choices=TARGETS, default='ball', help='what the network is to give around a centre')
    parser.add_argument('--start', type=Path, help='best.pt of another training, whose weights this one begins with')
    parser.add_argument('--negatives', type=Path, help='false picks of an earlier network, of mine.py, to look at more often')
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--crop', type=int, default=96, help=f'edge in voxels, a multiple of {MULTIPLE}')
    parser.add_argument('--rate', type=float, default=3e-3, help='greatest learning rate')
    parser.add_argument('--decay', type=float, default=0.998, help='of the average of weights')
    parser.add_argument('--seed', type=int, default=20241106)
    parser.add_argument('--validate-every', type=int, default=500)
    parser.add_argument('--validate-on', type=int, default=2, help='tomograms of each validation project')
    parser.add_argument(
        '--keep-last', action='store_true', help='best.pt is the last average: few tomograms do not tell which one is best'
    )
    parser.add_argument('--workers', type=int, default=1, help='processes that cut crops; several pay with a GPU')
    parser.add_argument('--threads', type=int, default=0, help='of arithmetic on a CPU; 0 lets PyTorch choose')
    parser.add_argument(
        '--bfloat16',
        action=argparse.BooleanOptionalAction,
        default=torch.cuda.is_available(),
        help='convolve in bfloat16: twice as fast on a GPU, and on a CPU that has instructions for it',
    )
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--resume', action='store_true')
    return parser.parse_args()


# What two CPU cores do in less than three hours; README.md has the measurement.
DEFAULT_STEPS = 7000


def main():
    options = arguments()
    if options.crop % MULTIPLE:
        raise SystemExit(f'--crop {options.crop} is no multiple of {MULTIPLE}')
    if options.threads:
        torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    seed_everything(options.seed)
    device = torch.device(options.device)
    layout = torch.channels_last_3d if options.bfloat16 else torch.contiguous_format
    network = UNet().to(device, memory_format=layout)
    start = torch.load(options.start, map_location=device, weights_only=True) if options.start else None
    if start:
        network.load_state_dict(start.pop('average'))
    average = Average(network, options.decay)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=options.steps, pct_start=0.15)
    parts = {'network': network, 'average': average.network, 'optimizer': optimizer, 'schedule': schedule}
    first, greatest = 0, -1.0
    checkpoint = options.out / 'checkpoint.pt'
    if options.resume and checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        if saved['steps'] != options.steps:
            raise SystemExit(f'the checkpoint is of a training of {saved["steps"]} steps, not {options.steps}')
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        first, greatest = saved['step'], saved['greatest']

    tomograms = [one for folder in options.data for one in read_project(folder / 'train', target=options.target)]
    held_out = [one for folder in options.data for one in read_project(folder / 'validate', options.validate_on)]
    if options.negatives:
        negatives = json.loads(options.negatives.read_text())
        for tomogram in tomograms:
            tomogram.negatives = np.array(negatives[tomogram.name], int).reshape(-1, 3)
    described = {
        **{name: getattr(options, name) for name in ('target', 'seed', 'steps', 'batch', 'crop', 'rate', 'decay', 'bfloat16')},
        'ball': BALL,
        'device': torch.cuda.get_device_name() if device.type == 'cuda' else platform.processor() or platform.machine(),
        'commit': commit(),
        **({'start': start} if start else {}),
        **({'negatives': sum(len(one.negatives) for one in tomograms)} if options.negatives else {}),
    }
    crops = Crops(tomograms, options.crop, options.steps * options.batch, options.seed)
    rest = torch.utils.data.Subset(crops, range(first * options.batch, len(crops)))
    loader = torch.utils.data.DataLoader(rest, options.batch, num_workers=options.workers, pin_memory=device.type == 'cuda')
    weights = class_weights(options.target).to(device)
    print(f'{parameter_count(network)} parameters, {len(tomograms)} tomograms, {device}', flush=True)

    losses, started, since = [], time.monotonic(), first
    for step, (voxels, labels, shares) in enumerate(loader, first + 1):
        network.train()
        voxels = voxels.to(device, memory_format=layout, non_blocking=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.bfloat16):
            logits = network(voxels)
        labels, shares = (truth.to(device, non_blocking=True) for truth in (labels, shares))
        loss = loss_of(logits, labels, shares, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        average.update(network, step)
        losses.append(loss.detach())
        if step % options.validate_every and step != options.steps:
            continue
        seconds = (time.monotonic() - started) / (step - since)
        total, objects = scoring.score(average.network, held_out, device)
        line = {
            'step': step,
            'loss': round(float(torch.stack(losses).mean()), 4),
            'rate': schedule.get_last_lr()[0],
            'secondsPerStep': round(seconds, 3),
            'total': round(float(total), 4),
            'f4': {name: round(float(value), 3) for name, value in objects.items()},
        }
        print(json.dumps(line), flush=True)
        with (options.out / 'log.jsonl').open('a') as log:
            log.write(json.dumps(line) + '\n')
        state = {name: part.state_dict() for name, part in parts.items()}
        if total > greatest or options.keep_last:
            greatest = max(total, greatest)
            save(options.out / 'best.pt', {'average': state['average'], 'step': step, **described})
        save(checkpoint, {**state, 'step': step, 'greatest': greatest, **described})
        losses, started, since = [], time.monotonic(), step


if __name__ == '__main__':
    main()
