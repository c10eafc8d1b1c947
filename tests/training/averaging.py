"""Two processes with statistics of their own, which agree on those of the first; run by torchrun."""

import torch
from torch import nn

from studio.training.average import Average


def main() -> None:
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    network = nn.BatchNorm1d(2)
    network.running_mean.fill_(rank + 1.0)
    average = Average(network, 0.9)
    average.on_train_begin(None, None, None)
    average.agree()
    with average.in_place():
        assert network.running_mean.tolist() == [1.0, 1.0]  # in evaluation, and in what is saved
    assert network.running_mean.tolist() == [rank + 1.0] * 2  # in training
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
