"""What an office without arrays in config.toml gets: its posts, roll calls, ladder and bulletin."""

from desk.policy import BulletinPlan
from incidents.tables.ladders import DEFAULT_LADDER
from roster.calendar import DayClass
from roster.model import PostRule, Presence, RandomMoments, RollCallPlan

POSTS = (
    PostRule("duty_leader", "带班领导", Presence.on_site),
    PostRule("duty_officer", "值班员", Presence.on_site),
    PostRule("standby", "备班", Presence.reachable),
)

_ON_WATCH = ("duty_leader", "duty_officer")

# Practice: one fixed and one unannounced call a day, one fixed more in a holiday's break.
ROLL_CALLS = (
    RollCallPlan("每日点名", cron="0 8 * * *", posts=_ON_WATCH),
    RollCallPlan(
        "节假日加点",
        cron="0 16 * * *",
        posts=_ON_WATCH,
        day_classes=(DayClass.holiday.value, DayClass.in_lieu_rest.value),
    ),
    RollCallPlan("夜间抽查", random=RandomMoments("22:00-06:00", times=1), posts=_ON_WATCH),
)

LADDERS = (DEFAULT_LADDER,)

BULLETINS = (BulletinPlan("每日值班要情", "0 9 * * *", ("role:office", "post:duty_leader"), "daily"),)
