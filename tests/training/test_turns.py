"""Trainings that take turns: one runs at a time, until it waits."""

import threading

import torch

from disentangle.training.turns import Turns, turns_of_thread, wait_for


def test_one_thread_runs_until_it_waits():
    turns, seen, waiting = Turns(), [], threading.Event()

    def first():
        with turns.taken():
            seen.append("first")
            with turns.given():
                assert waiting.wait(10)
            seen.append("first again")

    def second():
        with turns.taken():
            seen.append("second")
            waiting.set()
            seen.append("second still")

    one = threading.Thread(target=first)
    one.start()
    while "first" not in seen:
        pass
    other = threading.Thread(target=second)
    other.start()
    one.join(10)
    other.join(10)
    assert seen == ["first", "second", "second still", "first again"]


def test_turn_is_given_on_after_an_error():
    turns = Turns()
    try:
        with turns.taken():
            raise ValueError
    except ValueError:
        pass
    with turns.taken():
        assert turns_of_thread() is turns
    assert turns_of_thread() is None


def test_a_training_that_is_alone_does_not_wait():
    wait_for(torch.device("cpu"))
    with Turns().taken():
        wait_for(torch.device("cpu"))
