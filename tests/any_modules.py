"""Modules as users bring them, each with a trap, and dense derivatives in float64 to tell."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

CLASSES = 4


def images(count: int = 8, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def labels(count: int = 8) -> Tensor:
    return torch.arange(count) % CLASSES


def cnn(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, CLASSES),
    ).eval()  # fmt: skip


class Around(nn.Module):
    """A CNN with something done to its images before, or to its logits after."""

    def __init__(self, before=lambda x: x, after=lambda z: z):
        super().__init__()
        self.network, self.before, self.after = cnn(), before, after

    def forward(self, x):
        return self.after(self.network(self.before(x)))


class Taps(nn.Module):
    """Loops over its own layers and keeps what convolutions give, as feature pyramids do."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(16, CLASSES)
        for layer in self.body:
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.3, 2)
        self.eval()

    def forward(self, x):
        taps = []
        for layer in self.body:
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                taps.append(x.relu().mean((2, 3)))
        return self.head(torch.cat(taps, 1))


class Written(nn.Module):
    """Writes its features into a buffer of zeros, through views, before it bends them."""

    def __init__(self, bend=lambda x: torch.sigmoid(x * 8)):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head, self.bend = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, CLASSES), bend

    def forward(self, x):
        h = self.conv(x)
        out = torch.zeros(h.shape, dtype=h.dtype)
        out[:, :4] = h[:, :4]
        out[:, 4:] = -h[:, 4:]
        return self.head(self.bend(out).mean((2, 3)))


class Viewing(nn.Module):
    """The classic LeNet's ``view``, which channels-last order does not allow."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(1024, CLASSES)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).view(x.size(0), -1))


class Strided(nn.Module):
    """Reads memory as it lies: another function in another order of memory."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(1024, CLASSES)

    def forward(self, x):
        h = torch.relu(self.conv(x))
        return self.head(h.as_strided((len(x), 1024), (1024, 1)))


class InPlace(nn.Module):
    """Normalises the images that it is given, in place."""

    def __init__(self):
        super().__init__()
        self.network = cnn()

    def forward(self, x):
        return self.network(x.sub_(0.5).div_(0.25))


class ViT(nn.Module):
    """A small vision transformer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
        self.head = nn.Linear(8, CLASSES)
        self.eval()

    def forward(self, x):
        return self.head(self.encoder(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


class Counting(nn.Module):
    """Counts its calls in a buffer, and has another one that is not a number."""

    def __init__(self):
        super().__init__()
        self.network = cnn()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("unknown", torch.full((2,), torch.nan))

    def forward(self, x):
        self.calls += 1
        return self.network(x)


def exact_jacobian(network: nn.Module, x: Tensor) -> Tensor:
    """(B, K, D) in float64, a loop of backward passes over single images on the module itself."""
    network, rows = network.double(), []
    for image in x.double():
        pair = torch.stack([image, image]).requires_grad_()
        logits = network(pair.clone())
        rows.append(
            torch.stack([torch.autograd.grad(z, pair, retain_graph=True)[0][0] for z in logits[0]])
        )
    return torch.stack(rows).flatten(2)


def gradient(network: nn.Module, x: Tensor, y: Tensor, over: list[Tensor]) -> Tensor:
    """The gradient of the batch's mean cross-entropy over some tensors, flat."""
    rows = torch.autograd.grad(
        cross_entropy(network(x.clone()), y), over, allow_unused=True, materialize_grads=True
    )
    return torch.cat([row.flatten() for row in rows])


def exact_input_hessian(network: nn.Module, x: Tensor, y: Tensor, step: float = 1e-5) -> Tensor:
    """(B, D, D) in float64, by central differences of gradients."""
    network, matrices = network.double(), []
    for image, label in zip(x.double(), y, strict=True):
        rows = []
        for unit in torch.eye(image.numel(), dtype=torch.float64):
            pair = []
            for sign in (1, -1):
                shifted = (image + sign * step * unit.view_as(image))[None].repeat(2, 1, 1, 1)
                shifted.requires_grad_()
                found = gradient(network, shifted, label.repeat(2), [shifted])
                pair.append(found.view(2, -1).sum(0))
            rows.append((pair[0] - pair[1]) / (2 * step))
        matrices.append(torch.stack(rows))
    return torch.stack(matrices)


def exact_parameter_hessian(network: nn.Module, x: Tensor, y: Tensor, step: float = 1e-5) -> Tensor:
    """(P, P) in float64, by central differences of gradients."""
    network, x = network.double(), x.double()
    parameters = [parameter.requires_grad_() for parameter in network.parameters()]
    rows = []
    for parameter in parameters:
        flat = parameter.data.view(-1)
        for i in range(flat.numel()):
            pair = []
            for sign in (1, -1):
                flat[i] += sign * step
                pair.append(gradient(network, x, y, parameters))
                flat[i] -= sign * step
            rows.append((pair[0] - pair[1]) / (2 * step))
    return torch.stack(rows)


def strongest(matrices: Tensor) -> Tensor:
    """The eigenvalue of largest magnitude of each symmetric matrix, with its sign."""
    values = torch.linalg.eigvalsh((matrices + matrices.mT) / 2)
    return values.gather(-1, values.abs().argmax(-1, keepdim=True)).squeeze(-1)
