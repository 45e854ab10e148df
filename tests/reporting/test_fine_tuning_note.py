from headstart.reporting.fine_tuning_note import fine_tuning_note

START, WORSE = {"log_loss": 0.5, "accuracy": 0.8}, {"log_loss": 0.75, "accuracy": 0.7}


def test_a_fine_tuning_that_helped_needs_no_word() -> None:
    metrics = {"start": WORSE, "kept": START, "worse_than_start": False, "kept_epoch": 3}
    assert fine_tuning_note(metrics) == ""
    assert fine_tuning_note({"kept_epoch": 3}) == ""  # no valid split, nothing is known


def test_a_start_that_was_kept_is_told() -> None:
    metrics = {"start": START, "kept": START, "worse_than_start": False, "kept_epoch": 0}
    note = fine_tuning_note(metrics)
    assert "No cycle of fine-tuning ended better than the start" in note
    assert "(log loss 0.5000, accuracy 0.8000 on valid)" in note


def test_a_first_cycle_that_ended_the_training_is_told() -> None:
    metrics = {"start": START, "kept": START, "worse_than_start": False, "kept_epoch": 0}
    measures = {
        "f2": {"before": 0.8, "after": 0.7},
        "log_loss": {"before": 0.5, "after": 0.75},
    }
    assert fine_tuning_note(metrics | {"worse_first_cycle": measures}) == (
        "Fine-tuning stopped after its first cycle: the head is better beyond noise (F2 on valid "
        "0.8000 before, 0.7000 after and log loss on valid 0.5000 before, 0.7500 after), and was kept."
    )


def test_a_network_worse_than_its_start_is_told() -> None:
    metrics = {"start": START, "kept": WORSE, "worse_than_start": True, "kept_epoch": 3}
    note = fine_tuning_note(metrics)
    assert "0.5000 before, 0.7500 after" in note and "keep is last" in note
