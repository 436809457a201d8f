"""The ladder walked when config.toml has none that fits, and the pace of every further walk."""

from incidents.model import Ladder, Step

# The duty officer hears at once, the 带班领导 at 5 minutes, the office at 10: the roll call's own figures.
DEFAULT_LADDER = Ladder(
    "default",
    (Step(0, ("post:duty_officer",)), Step(5, ("post:duty_leader",)), Step(10, ("role:office",))),
    repeat=3,
)

REPEAT_PACE = 0.5  # A repeated walk takes half the time of the first.
REST_MINUTES = 5.0  # Between the last step of a walk and the first of the next, up to the ladder's repeat.
SLOW_REST_MINUTES = 30.0  # The same for ever after: an unsigned incident is never dropped.
HAND_ON_MINUTES = 5.0  # How long somebody named by 转办 has before the ladder starts again.
