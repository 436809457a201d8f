"""What makes an event 敏感, to be reported whatever its level: places, people and subjects, by words."""

import re
from collections.abc import Mapping

SOURCE = "敏感时间、敏感地点、敏感人群或事件本身敏感的, 不受分级标准限制 (突发事件信息报告工作规定)"

# 送医院 is a journey, not the place of the event.
WORDS: Mapping[str, re.Pattern[str]] = {
    "学校": re.compile(r"学校|小学|中学|高中|大学|校园|校车|教室|师生|学生"),
    "幼儿园": re.compile(r"幼儿园|托儿所|小朋友|幼儿"),
    "养老院": re.compile(r"养老院|敬老院|福利院|老人院|护理院"),
    "医院": re.compile(r"(?<![送去到往])(?<!医)医院(?!救治|治疗|抢救)|卫生院(?!救治)|门诊|病房"),
    "宗教场所": re.compile(r"寺庙|寺院|教堂|清真寺|道观|宗教"),
    "涉外涉港澳台侨": re.compile(r"涉外|外籍|外国人|领事|涉港|涉澳|涉台|港澳|台商|台胞|港人|华侨|侨胞"),
    "领导机关周边": re.compile(
        r"(?:市|镇|区|街道)?(?:政府|党委|市委|人大|政协|法院|检察院|信访)(?:门口|大院|大楼|办公|前|周边)"
    ),
    "重要设施": re.compile(r"加油站|加气站|变电站|水厂|油库|核电|高铁站|地铁|隧道|军事|监狱|看守所"),
    "可能演化": re.compile(r"群体|聚集|围堵|上访|横幅|罢工|罢运|堵路|讨薪|讨工资"),
    "网络热传": re.compile(r"热搜|网传|网上(?:疯)?传|抖音|微博|朋友圈|视频号|记者|媒体"),
}
