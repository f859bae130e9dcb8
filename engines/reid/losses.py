"""What training makes smaller. Features are (batch, width), scores (batch, identities), people numbers (batch,)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

SMOOTHING = 0.1


def identity(scores: Tensor, people: Tensor, smoothing: float = SMOOTHING) -> Tensor:
    """Cross-entropy with a share `smoothing` of the target spread over all identities."""
    return F.cross_entropy(scores.float(), people, label_smoothing=smoothing)


def triplet(features: Tensor, people: Tensor, margin: float | None = 0.3) -> Tensor:
    """Each one's farthest likeness should be nearer than its nearest stranger, by a margin; without one, softly.

    Distances are Euclidean, of features as they are. A feature is among its own likenesses.
    """
    features = features.float()
    apart = distances(features, features)
    same = people[:, None] == people
    farthest = apart.masked_fill(~same, -torch.inf).amax(dim=1)
    nearest = apart.masked_fill(same, torch.inf).amin(dim=1)
    if margin is None:
        return F.softplus(farthest - nearest).mean()
    return F.relu(farthest - nearest + margin).mean()


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean, (len(a), len(b))."""
    squares = (a**2).sum(1, keepdim=True) + (b**2).sum(1) - 2 * a @ b.T
    return squares.clamp(min=1e-12).sqrt()


def supervised_contrast(
    anchors: Tensor, others: Tensor, people: Tensor, other_people: Tensor, temperature: float = 1.0
) -> Tensor:
    """SupCon: every anchor should single out all others of its person, by dot products that nothing normalises.

    CLIP-ReID takes it from pictures to texts and back. A text that stands in the batch twice counts twice.
    """
    same = (people[:, None] == other_people).float()
    logs = F.log_softmax(anchors.float() @ others.float().T / temperature, dim=1)
    return -((same * logs).sum(1) / same.sum(1)).mean()


def picture_to_text(features: Tensor, texts: Tensor, people: Tensor, smoothing: float = SMOOTHING) -> Tensor:
    """Each picture should single out its person's text among all, (identities, width), by plain dot products."""
    return identity(features.float() @ texts.float().T, people, smoothing)


def similarity_distribution(
    pictures: Tensor, texts: Tensor, people: Tensor, temperature: float = 0.02, epsilon: float = 1e-8
) -> Tensor:
    """SDM (IRRA): the cosines of pictures and texts should be spread as the identities are, both ways.

    IRRA's code normalises the matching pairs by columns, which is right because they are symmetric; here by rows.
    """
    cosines = F.normalize(pictures.float()) @ F.normalize(texts.float()).T / temperature
    same = (people[:, None] == people).float()
    wanted = same / same.sum(1, keepdim=True)

    def way(scores: Tensor) -> Tensor:
        found = F.log_softmax(scores, dim=1)
        return (found.exp() * (found - (wanted + epsilon).log())).sum(1).mean()

    return way(cosines) + way(cosines.T)


def instance_contrast(pictures: Tensor, texts: Tensor, scale: Tensor | float) -> Tensor:
    """ITC: a picture and its own text should find each other, by cosines times a scale; symmetric InfoNCE."""
    scores = scale * F.normalize(pictures.float()) @ F.normalize(texts.float()).T
    own = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """A student's scores should be spread as its teacher's are: T^2 KL, mean over the batch."""
    found = F.log_softmax(student.float() / temperature, dim=1)
    wanted = F.log_softmax(teacher.detach().float() / temperature, dim=1)
    return temperature**2 * F.kl_div(found, wanted, reduction="batchmean", log_target=True)


def squared_cosines(vectors: Tensor) -> Tensor:
    """Vectors should be unlike each other: the mean square of the cosine of two of them."""
    cosines = F.normalize(vectors.float()) @ F.normalize(vectors.float()).T
    count = len(cosines)
    return (cosines.square().sum() - cosines.diagonal().square().sum()) / (count * (count - 1))


def load_balance(shares: Tensor) -> Tensor:
    """Experts should be used alike, by their shares of every input (batch, experts); 1 where they are."""
    return shares.shape[1] * shares.float().mean(0).square().sum()
