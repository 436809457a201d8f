"""The thresholds of the levels (级别), by rule set and indicator, each with the text it rests on."""

from collections.abc import Mapping
from dataclasses import dataclass

from incidents.model import Category


@dataclass(frozen=True)
class Indicator:
    """From how many on an event is 特别重大, 重大, 较大 (以上 includes the number); below is 一般."""

    name: str  # deaths, serious_injuries, sick, sick_with_deaths, loss_yuan or people
    label: str
    unit: str
    floors: tuple[float | None, float | None, float | None]
    source: str


_493 = "《生产安全事故报告和调查处理条例》(国务院令第493号) 第三条"
_FOREST = "《森林防火条例》第四十条"
_GEOLOGICAL = "《地质灾害防治条例》第四条"
_WEATHER = "《特别重大、重大突发公共事件分级标准(试行)》气象灾害类"
_MASS = "《特别重大、重大突发公共事件分级标准(试行)》社会安全类"
_MASS_LOCAL = "通行口径, 以本地预案为准"
_ENVIRONMENT = "《国家突发环境事件应急预案》分级标准"
_EARTHQUAKE = "《国家地震应急预案》分级标准"
_FOOD = "食物中毒分级通行口径, 特别重大由国家认定"

_WORK_SAFETY = (
    Indicator("deaths", "死亡", "人", (30, 10, 3), _493),
    Indicator("serious_injuries", "重伤", "人", (100, 50, 10), _493),
    Indicator("loss_yuan", "直接经济损失", "元", (1e8, 5e7, 1e7), _493),
)

RULE_SETS: Mapping[str, tuple[Indicator, ...]] = {
    "work_safety": _WORK_SAFETY,
    "forest_fire": (
        Indicator("deaths", "死亡", "人", (30, 10, 3), _FOREST),
        Indicator("serious_injuries", "重伤", "人", (100, 50, 10), _FOREST),
    ),
    "geological": (
        Indicator("deaths", "死亡", "人", (30, 10, 3), _GEOLOGICAL),
        Indicator("loss_yuan", "直接经济损失", "元", (1e7, 5e6, 1e6), _GEOLOGICAL),
    ),
    "weather": (
        Indicator("deaths", "死亡", "人", (30, 10, 3), _WEATHER),
        Indicator("loss_yuan", "直接经济损失", "元", (5e7, 1e7, 5e6), _WEATHER),
    ),
    "earthquake": (Indicator("dead_or_missing", "死亡(含失踪)", "人", (300, 50, 10), _EARTHQUAKE),),
    "environment": (
        Indicator("deaths", "死亡", "人", (30, 10, 3), _ENVIRONMENT),
        Indicator("loss_yuan", "直接经济损失", "元", (1e8, 2e7, 5e6), _ENVIRONMENT),
    ),
    "food_poisoning": (
        Indicator("deaths", "死亡", "人", (None, 10, 1), _FOOD),
        Indicator("sick_with_deaths", "中毒且有死亡", "人", (None, 100, None), _FOOD),
        Indicator("sick", "中毒", "人", (None, None, 100), _FOOD),
    ),
    "mass": (
        Indicator("people", "参与", "人", (5000, 1000, None), _MASS),
        Indicator("people", "参与", "人", (None, None, 300), _MASS_LOCAL),
        Indicator("deaths", "死亡", "人", (10, 3, 1), _MASS),
        Indicator("hurt", "受伤", "人", (30, 10, 3), _MASS),
    ),
    "brawl": (
        Indicator("people", "械斗参与", "人", (500, 200, None), _MASS),
        Indicator("deaths", "死亡", "人", (10, 3, 1), _MASS),
        Indicator("hurt", "受伤", "人", (30, 10, 3), _MASS),
    ),
}

RULE_SET_OF_KIND: Mapping[str, str] = {
    "森林火灾": "forest_fire",
    "滑坡": "geological",
    "地面塌陷": "geological",
    "台风": "weather",
    "雷雨大风": "weather",
    "内涝": "weather",
    "洪水": "weather",
    "暴雨": "weather",
    "风暴潮": "weather",
    "堤防险情": "weather",
    "寒冷": "weather",
    "高温": "weather",
    "干旱": "weather",
    "地震": "earthquake",
    "环境污染": "environment",
    "食物中毒": "food_poisoning",
    "群体性事件": "mass",
    "欠薪": "mass",
    "斗殴": "brawl",
}

RULE_SET_OF_CATEGORY: Mapping[Category, str] = {
    Category.natural: "weather",
    Category.accident: "work_safety",
    Category.health: "work_safety",
    Category.social: "mass",
    Category.unknown: "work_safety",
}

# 应对法 第三条 grades three classes; for the fourth a level is only a reference.
REFERENCE_ONLY = "社会安全事件, 级别仅供参考"
UNKNOWN_HARM = "伤亡不详"
BELOW = "未达较大标准"
