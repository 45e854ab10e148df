from dataclasses import replace

from headstart.views.draws import PLAIN, affine_maps, lighting


def test_maps_of_turns_are_exact() -> None:
    draws = [replace(PLAIN, quarter_turns=turns) for turns in range(4)]
    identity, quarter, half, _ = affine_maps(draws, 10)[:, :, :2].tolist()
    assert identity == [[1, 0], [0, 1]]
    assert quarter == [[0, -1], [1, 0]]
    assert half == [[-1, 0], [0, -1]]


def test_the_plain_view_moves_and_lights_nothing() -> None:
    assert affine_maps([PLAIN], 10).tolist() == [[[1, 0, 0], [0, 1, 0]]]
    assert lighting([PLAIN]).tolist() == [[0, 1]]
