"""Observing is the rule, being armed the exception that ends by itself."""

from __future__ import annotations

from console.safety import Arming


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_operator_observes_until_they_arm_and_again_after_a_while_without_activity() -> None:
    clock = Clock()
    arming = Arming(900, clock)
    assert not arming.is_armed and arming.remaining_s == 0
    arming.arm()
    assert arming.remaining_s == 900
    clock.now += 899
    assert arming.is_armed
    clock.now += 1
    assert not arming.is_armed


def test_activity_starts_the_time_anew_but_never_arms() -> None:
    clock = Clock()
    arming = Arming(900, clock)
    arming.touch()
    assert not arming.is_armed
    arming.arm(60)
    clock.now += 59
    arming.touch()
    assert arming.remaining_s == 60
    clock.now += 61
    arming.touch()
    assert not arming.is_armed


def test_disarming_is_at_once() -> None:
    arming = Arming(900, Clock())
    arming.arm()
    arming.disarm()
    assert not arming.is_armed
