"""What a methods paragraph cites, in full."""

from __future__ import annotations

from typing import NamedTuple


class Reference(NamedTuple):
    """How it is cited in the text, and what the list of references says."""

    cited: str
    full: str


TSIMCNE = Reference(
    "Böhm et al., 2023",
    "Böhm, J. N., Berens, P. & Kobak, D. (2023). Unsupervised visualization of image datasets "
    "using contrastive learning. International Conference on Learning Representations (ICLR). "
    "arXiv:2210.09879.",
)
SIMCLR = Reference(
    "Chen et al., 2020",
    "Chen, T., Kornblith, S., Norouzi, M. & Hinton, G. (2020). A simple framework for contrastive "
    "learning of visual representations. International Conference on Machine Learning (ICML). "
    "arXiv:2002.05709.",
)
RESNET = Reference(
    "He et al., 2016",
    "He, K., Zhang, X., Ren, S. & Sun, J. (2016). Deep residual learning for image recognition. "
    "IEEE Conference on Computer Vision and Pattern Recognition (CVPR), 770–778. "
    "doi:10.1109/CVPR.2016.90.",
)
IMAGENET = Reference(
    "Deng et al., 2009",
    "Deng, J., Dong, W., Socher, R., Li, L.-J., Li, K. & Fei-Fei, L. (2009). ImageNet: a "
    "large-scale hierarchical image database. IEEE Conference on Computer Vision and Pattern "
    "Recognition (CVPR), 248–255. doi:10.1109/CVPR.2009.5206848.",
)
BATCH_NORMALIZATION = Reference(
    "Ioffe & Szegedy, 2015",
    "Ioffe, S. & Szegedy, C. (2015). Batch normalization: accelerating deep network training by "
    "reducing internal covariate shift. International Conference on Machine Learning (ICML), "
    "448–456. arXiv:1502.03167.",
)
MUON = Reference(
    "Jordan et al., 2024",
    "Jordan, K., Jin, Y., Boza, V., You, J., Cesista, F., Newhouse, L. & Bernstein, J. (2024). "
    "Muon: an optimizer for hidden layers in neural networks. https://kellerjordan.github.io/"
    "posts/muon/.",
)
ADAMW = Reference(
    "Loshchilov & Hutter, 2019",
    "Loshchilov, I. & Hutter, F. (2019). Decoupled weight decay regularization. International "
    "Conference on Learning Representations (ICLR). arXiv:1711.05101.",
)
OTSU = Reference(
    "Otsu, 1979",
    "Otsu, N. (1979). A threshold selection method from gray-level histograms. IEEE Transactions "
    "on Systems, Man, and Cybernetics 9, 62–66. doi:10.1109/TSMC.1979.4310076.",
)
SCIKIT_IMAGE = Reference(
    "van der Walt et al., 2014",
    "van der Walt, S., Schönberger, J. L., Nunez-Iglesias, J., Boulogne, F., Warner, J. D., "
    "Yager, N., Gouillart, E., Yu, T. & the scikit-image contributors (2014). scikit-image: image "
    "processing in Python. PeerJ 2, e453. doi:10.7717/peerj.453.",
)
PYTORCH = Reference(
    "Paszke et al., 2019",
    "Paszke, A., Gross, S., Massa, F., Lerer, A., Bradbury, J., Chanan, G. et al. (2019). PyTorch: "
    "an imperative style, high-performance deep learning library. Advances in Neural Information "
    "Processing Systems (NeurIPS) 32, 8024–8035. arXiv:1912.01703.",
)
NAPARI = Reference(
    "napari contributors, 2019",
    "napari contributors (2019). napari: a multi-dimensional image viewer for Python. "
    "doi:10.5281/zenodo.3555620.",
)
HDBSCAN = Reference(
    "Campello et al., 2013",
    "Campello, R. J. G. B., Moulavi, D. & Sander, J. (2013). Density-based clustering based on "
    "hierarchical density estimates. Pacific-Asia Conference on Knowledge Discovery and Data "
    "Mining (PAKDD), 160–172. doi:10.1007/978-3-642-37456-2_14.",
)
K_MEANS = Reference(
    "Lloyd, 1982",
    "Lloyd, S. P. (1982). Least squares quantization in PCM. IEEE Transactions on Information "
    "Theory 28, 129–137. doi:10.1109/TIT.1982.1056489.",
)
MIXTURE = Reference(
    "Dempster et al., 1977",
    "Dempster, A. P., Laird, N. M. & Rubin, D. B. (1977). Maximum likelihood from incomplete data "
    "via the EM algorithm. Journal of the Royal Statistical Society B 39, 1–38.",
)

ALL = (
    TSIMCNE, SIMCLR, RESNET, IMAGENET, BATCH_NORMALIZATION, MUON, ADAMW, OTSU, SCIKIT_IMAGE,
    PYTORCH, NAPARI, HDBSCAN, K_MEANS, MIXTURE,
)  # fmt: skip


def cited_in(text: str) -> list[Reference]:
    """Return what a text cites, in alphabetical order."""
    return sorted((one for one in ALL if one.cited in text), key=lambda one: one.full.casefold())
