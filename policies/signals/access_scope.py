"""Which structured data speaks about the page itself, and which about something that the page mentions.

Tables only, from https://schema.org (properties and types) and from what publishers write. A name that is not
listed here counts as speaking about the page: not knowing a relation must not lift a restriction.
Imports the standard library only.
"""

from __future__ import annotations

from functools import lru_cache

# Properties that point at other works: teasers, references, the subject of a review.
_OTHER_WORKS = frozenset(
    (
        "about",
        "citation",
        "dataset",
        "datafeedelement",
        "hasoffercatalog",
        "isbasedon",
        "isbasedonurl",
        "isrelatedto",
        "issimilarto",
        "itemlistelement",
        "itemreviewed",
        "mentions",
        "recordedat",
        "relatedlink",
        "relateditem",
        "relatedarticle",
        "relatedarticles",
        "significantlink",
        "significantlinks",
        "subjectof",
        "translationofwork",
        "workexample",
        "workfeatured",
        "worktranslation",
    )
)
# Types that hold pointers to other pages.
_LISTS = frozenset(
    ("itemlist", "listitem", "breadcrumblist", "offercatalog", "sitenavigationelement", "datafeed")
)
# `isAccessibleForFree` of a place or an event is about the entrance fee, not about the page.
_PLACES = frozenset(
    (
        "accommodation",
        "administrativearea",
        "airport",
        "amusementpark",
        "aquarium",
        "artgallery",
        "beach",
        "botanicalgarden",
        "bowlingalley",
        "bridge",
        "buddhisttemple",
        "campground",
        "casino",
        "castle",
        "catholicchurch",
        "cemetery",
        "church",
        "city",
        "civicstructure",
        "entertainmentbusiness",
        "eventvenue",
        "golfcourse",
        "hindutemple",
        "historicalbuilding",
        "hotel",
        "island",
        "lakebodyofwater",
        "landform",
        "landmarksorhistoricalbuildings",
        "library",
        "localbusiness",
        "lodgingbusiness",
        "mosque",
        "mountain",
        "movietheater",
        "museum",
        "musicvenue",
        "nightclub",
        "park",
        "parkingfacility",
        "performingartstheater",
        "place",
        "placeofworship",
        "playground",
        "publicswimmingpool",
        "restaurant",
        "rvpark",
        "sportsactivitylocation",
        "stadiumorarena",
        "synagogue",
        "touristattraction",
        "touristdestination",
        "touristtrip",
        "trainstation",
        "zoo",
    )
)
_EVENTS = frozenset(("eventseries", "festival", "hackathon", "courseinstance", "userinteraction"))
# Types of a whole work: an item inside one that no property ties to it is another work.
_WORK_ENDINGS = ("article", "posting", "review", "recipe")


def local_name(name: str) -> str:
    """Return a property or type without its vocabulary, lower case: `https://schema.org/Event` is `event`."""
    return _remembered(name) if len(name) < _REMEMBERED_BELOW else _without_vocabulary(name)


def _without_vocabulary(name: str) -> str:
    for mark in ("/", "#", ":"):
        name = name.rpartition(mark)[2]
    return name.strip().lower()


# A page says the same few names again and again.
_REMEMBERED_BELOW = 100
_remembered = lru_cache(maxsize=512)(_without_vocabulary)


def leads_away(properties: frozenset[str]) -> bool:
    """Tell whether one of these properties (local names) points at another work."""
    return not properties.isdisjoint(_OTHER_WORKS)


def is_list(types: frozenset[str]) -> bool:
    """Tell whether something of these types (local names) only holds pointers to other pages."""
    return not types.isdisjoint(_LISTS)


def is_place_or_event(types: frozenset[str]) -> bool:
    """Tell whether all these types are places or events; of a mixed set the work counts."""
    return bool(types) and all(name in _PLACES or name in _EVENTS or name.endswith("event") for name in types)


def is_whole_work(types: frozenset[str]) -> bool:
    """Tell whether one of these types is a work that stands for itself, such as an article."""
    return any(name.endswith(_WORK_ENDINGS) for name in types)
