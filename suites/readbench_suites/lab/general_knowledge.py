"""Recall: twenty countries with their capital, money and continent, asked in thirty phrasings.

The capability is recall, so what the splits hold out is the phrasing of a fact, not the fact.
Difficulty: how far the asked thing lies from the named one: easy, a country's capital or continent; medium, the country of a
capital or a country's money; hard, two steps, from a capital through its country to the money or the continent.
"""

import random

from readbench.api import Difficulty, Question, source

# country: capital, money, continent
FACTS = {
    "peru": ("lima", "sol", "america"),
    "cuba": ("havana", "peso", "america"),
    "canada": ("ottawa", "dollar", "america"),
    "brazil": ("brasilia", "real", "america"),
    "japan": ("tokyo", "yen", "asia"),
    "china": ("beijing", "yuan", "asia"),
    "india": ("delhi", "rupee", "asia"),
    "korea": ("seoul", "won", "asia"),
    "vietnam": ("hanoi", "dong", "asia"),
    "iran": ("tehran", "rial", "asia"),
    "russia": ("moscow", "rouble", "europe"),
    "norway": ("oslo", "krone", "europe"),
    "poland": ("warsaw", "zloty", "europe"),
    "greece": ("athens", "euro", "europe"),
    "hungary": ("budapest", "forint", "europe"),
    "england": ("london", "pound", "europe"),
    "kenya": ("nairobi", "shilling", "africa"),
    "ghana": ("accra", "cedi", "africa"),
    "zambia": ("lusaka", "kwacha", "africa"),
    "nigeria": ("abuja", "naira", "africa"),
}
OPENERS = ("", "quiz: ", "tell ", "say ", "name ", "fact: ")
BODIES = ("{asked} of {named}", "{named} {asked}", "{named}'s {asked}", "{asked}, {named}", "the {asked} of {named}")


class GeneralKnowledge:
    """Facts about countries."""

    def sample(self, rng: random.Random, difficulty: Difficulty) -> Question:
        """One fact in one phrasing."""
        country = rng.choice(tuple(FACTS))
        capital, money, continent = FACTS[country]
        asked, named, answer = rng.choice(
            (
                (("city", country, capital), ("region", country, continent)),
                (("country", capital, country), ("money", country, money)),
                (("money", capital, money), ("region", capital, continent)),
            )[difficulty]
        )
        body = rng.choice(BODIES).format(asked=asked, named=named)
        return Question(prompt=rng.choice(OPENERS) + body, answer=answer)


@source("lab.general_knowledge")
def general_knowledge() -> GeneralKnowledge:
    """Recall of facts about countries, in phrasings never taught."""
    return GeneralKnowledge()
