"""The kinds of 突发事件 and the words that tell them: the first row that fits wins."""

import re
from dataclasses import dataclass

from incidents.model import Category

# The four classes are 应对法 第二条's; the sub-kinds are those of the national master plan and of the office.
SOURCE = "《中华人民共和国突发事件应对法》第二条; 《国家突发公共事件总体应急预案》1.3"


@dataclass(frozen=True)
class Kind:
    """A kind (类别), the class it belongs to, and a pattern of the words that tell it."""

    category: Category
    name: str
    words: re.Pattern[str]


def _kind(category: Category, name: str, words: str) -> Kind:
    return Kind(category, name, re.compile(f"{re.escape(name)}|{words}"))


_FIRE = r"(?:着火|起火|失火|火情|火警|明火|大火|火灾|火光|火苗|烧起来|燃烧|冒烟|黑烟|浓烟|烧着|爆燃|烧了)"
_GAS = r"(?:燃气|煤气|天然气|液化气|石油气)"
_CHEMICAL = (
    r"(?:危化|危险化学|化学品|化工厂|液碱|烧碱|液氨|氨气|液氯|氯气|硫酸|盐酸|硝酸|甲醇|乙醇罐|甲苯|苯泄|"
    r"槽罐车|油罐车|危险品|酸罐)"
)

KINDS: tuple[Kind, ...] = (
    _kind(
        Category.natural,
        "森林火灾",
        r"山火|林火|火线|护林员|森林|山林[^,，。]{0,6}火|(?:后山|山上|山头|林地)[^,，。]{0,8}" + _FIRE,
    ),
    _kind(Category.accident, "危险化学品", _CHEMICAL),
    _kind(
        Category.accident,
        "城镇燃气",
        _GAS + r"[^,，。]{0,8}(?:漏|味|断|破|爆|泄|异常|中毒)|(?:漏|挖断|挖破|泄漏)[^,，。]{0,6}" + _GAS,
    ),
    _kind(Category.accident, "火灾", _FIRE + r"|火势|救火|灭火(?!器)|爆炸起火|fire"),
    _kind(
        Category.health,
        "食物中毒",
        r"(?:吃|食堂|聚餐|宴|外卖|饭)[^。]{0,20}(?:呕吐|腹泻|肚子[痛疼]|拉肚子|中毒|上吐下泻)|食品安全",
    ),
    _kind(
        Category.health,
        "传染病疫情",
        r"传染病|疫情|手足口|流感|诺如|登革热|基孔肯雅|霍乱|水痘|麻疹|肺结核|聚集性(?:发热|发烧)|确诊病例|新冠|(?:多|几|\d|[二三四五六七八九十])[名个]?[^,，。]{0,6}(?:发热|发烧)",
    ),
    _kind(Category.health, "群体性不明原因疾病", r"不明原因(?:疾病|发热|肺炎|呕吐)"),
    _kind(Category.health, "动物疫情", r"禽流感|非洲猪瘟|口蹄疫|死[猪鸡鸭]|疯狗|狂犬"),
    _kind(Category.health, "职业中毒", r"职业中毒|苯中毒|铅中毒"),
    _kind(
        Category.accident,
        "水上交通",
        r"(?:渔船|货船|客船|渡船|船只|船舶|快艇|小船|船)[^,，。]{0,8}(?:进水|沉|翻|碰撞|相撞|搁浅|失控|遇险)|沉船|翻船|撞船",
    ),
    _kind(
        Category.accident,
        "溺水",
        r"溺亡|落水|掉(?:进|到|入|落)?[^,，。]{0,4}(?:河|江|塘|涌|水库|海|水)里?|坠河|跳河|跳江|投河|投江",
    ),
    _kind(
        Category.accident,
        "铁路交通",
        r"(?:火车|列车|高铁|轻轨|城轨)[^,，。]{0,8}(?:脱轨|相撞|撞|出轨|事故)",
    ),
    _kind(Category.accident, "航空交通", r"(?:飞机|直升机|航班)[^,，。]{0,8}(?:坠|失联|迫降|事故)|坠机"),
    _kind(
        Category.accident,
        "道路交通事故",
        r"车祸|交通事故|追尾|相撞|碰撞|(?:车|摩托|电动车|泥头车)[^,，。]{0,8}(?:翻|撞|侧翻|冲入|冲进|坠)|撞(?:车|人|到人|上)|肇事|被车",
    ),
    _kind(Category.accident, "特种设备", r"电梯|扶梯|锅炉|压力容器|索道|过山车|游乐设施|大型游乐"),
    _kind(
        Category.accident,
        "建筑施工",
        r"工地|塔吊|吊车|脚手架|基坑|施工(?:现场|升降)|模板坍塌|盾构|高支模|升降机|建筑施工",
    ),
    _kind(
        Category.natural,
        "滑坡",
        r"山体|塌方|泥石流|边坡|山坡[^,，。]{0,8}(?:掉|塌|滑|垮|裂)|崩塌|落石|滚石|(?:掉|滑|塌)[^,，。]{0,8}泥(?:土|下来)",
    ),
    _kind(Category.natural, "地面塌陷", r"地陷|路面塌|地面塌|路面下沉|地面下沉|塌陷|天坑"),
    _kind(
        Category.accident,
        "房屋倒塌",
        r"(?:楼|房|屋|墙|厂房|棚)[^,，。]{0,8}(?:塌|倒塌|垮|倾斜|开裂)|坍塌|危房|倒塌",
    ),
    _kind(
        Category.natural,
        "堤防险情",
        r"管涌|渗水|溃堤|决堤|决口|漫堤|漫顶|堤(?:围|坝|防|身)|外堤|水闸[^,，。]{0,6}(?:坏|险|漏)|崩岸",
    ),
    _kind(
        Category.natural,
        "台风",
        r"台风|热带风暴|热带低压|花木棚倒|树(?:木)?也?倒了[^,，。]{0,6}(?:几|多|一片)",
    ),
    _kind(Category.natural, "树木倒伏", r"(?:树|树木|大树|树枝)[^,，。路]{0,4}(?:倒|断|砸|压)"),
    _kind(Category.natural, "风暴潮", r"海水倒灌|天文大潮|大潮"),
    _kind(Category.natural, "雷雨大风", r"大风|龙卷|雷雨|雷击|冰雹|阵风|吹翻|吹倒|狂风|飑线"),
    _kind(
        Category.natural,
        "内涝",
        r"积水|水浸|水[^,，。]{0,2}漫|倒灌|水淹|被淹|淹了|浸水|到处都是水|水没过|水到(?:小腿|膝|大腿|腰|胸)|水深|涨水|涝",
    ),
    _kind(Category.natural, "洪水", r"洪峰|山洪|发大水|泄洪|超警|水位上涨|洪涝"),
    _kind(Category.natural, "暴雨", r"大暴雨|特大暴雨|强降雨"),
    _kind(Category.natural, "干旱", r"旱情|缺水|咸潮"),
    _kind(Category.natural, "地震", r"震感|余震"),
    _kind(Category.natural, "寒冷", r"冰冻|霜冻|寒潮"),
    _kind(Category.natural, "高温", r"中暑|热射病"),
    _kind(
        Category.accident,
        "环境污染",
        r"污染|偷排|废水|污水|死鱼|异味|刺鼻|臭味|酸味|水变[^,，。]{0,3}色|变(?:红|黑|绿)色?|油污|辐射源|放射源",
    ),
    _kind(
        Category.accident,
        "公共设施",
        r"停电|停水|断水|断电|爆管|水管[^,，。]{0,4}(?:爆|破|裂)|变压器|电缆|供水|供电|断网|通信中断|基站|桥[^,，。]{0,4}(?:断|裂|塌|垮)",
    ),
    _kind(
        Category.accident,
        "工矿商贸安全事故",
        r"爆炸|触电|机械伤害|有限空间|高处坠落|高坠|车间|中毒窒息|窒息|卷入|压伤|生产安全|粉尘|安全事故|踩踏",
    ),
    _kind(Category.social, "恐怖袭击", r"炸弹|爆炸物|恐袭|人质|劫持"),
    _kind(
        Category.social,
        "欠薪",
        r"讨薪|讨工资|讨要工资|拖欠工资|拖欠工钱|工钱|血汗钱|欠[^,，。]{0,4}工资|工资[^,，。]{0,4}没发",
    ),
    _kind(Category.social, "校园安全", r"校园欺凌|校园霸凌|校园暴力"),
    _kind(Category.social, "斗殴", r"打架|械斗|群殴|打群架|打起来|互殴|冲突|持械"),
    _kind(Category.social, "刑事案件", r"持刀|砍人|捅人|行凶|杀人|抢劫|绑架|枪击|凶杀|命案|投毒|伤人|纵火"),
    _kind(
        Category.social,
        "群体性事件",
        r"聚集|围堵|横幅|上访|维权|示威|游行|罢工|罢运|罢课|堵路|堵门|闹事|静坐|群体|集会",
    ),
    _kind(Category.social, "网络安全", r"勒索病毒|黑客|系统被攻击|数据泄露|网站被篡改"),
    _kind(Category.social, "经济金融安全", r"挤兑|非法集资|爆雷|跑路"),
    _kind(Category.social, "涉外事件", r"外国人|外籍|领事|涉外"),
    _kind(Category.social, "民族宗教", r"宗教|清真寺|教堂"),
    _kind(Category.social, "人员走失", r"走失|失踪|失联|走丢|下落不明|找不到人|寻人"),
    _kind(Category.social, "轻生", r"跳楼|轻生|自杀|要跳"),
)

# What a person calls an event of a class that no kind above fits; no words tell it.
OTHERS = {
    Category.natural: "其他自然灾害",
    Category.accident: "其他事故灾难",
    Category.health: "其他公共卫生事件",
    Category.social: "其他社会安全事件",
}
