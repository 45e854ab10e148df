"""What the page says about the network."""

from headstart.reporting.facts_network import network_facts
from tests.reporting.test_facts_data import ABOUT


def test_the_network_is_told_with_its_weights_and_their_digest() -> None:
    params = {"backbone": {"weights": "sources/w.yaml"}}
    found = dict(network_facts(params, 3_413_073, ABOUT))
    assert found["network"] == "net, 3.4 million weights"
    assert found["weights from"] == "sources/w.yaml"
    assert found["digest of these weights"] == "abc"
    assert found["head"] == "no hidden layer, dropout 0 and 0.5, 2 classes"
    assert found["input"] == "64 × 64 px, center crop of 0.96 of the shorter side"
    assert found["result"] == "one network, trained by train-head, unfreeze-finetune"
    assert found["device of the training"] == "cuda"
    about = ABOUT | {"frame": {"crop": "squash", "crop_frac": 1.0}, "params": {}}
    other = dict(network_facts(params, 1, about))
    assert "squashed" in other["input"]
    assert "device of the training" not in other
