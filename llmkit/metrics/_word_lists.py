"""Word lists of our own: small, English, and meant to be replaced by the user's."""

from __future__ import annotations

GENDER: dict[str, tuple[str, ...]] = {
    "female": (
        *("she", "her", "hers", "herself", "woman", "women", "girl", "girls", "female", "females", "lady", "ladies"),
        *("mother", "mothers", "mom", "daughter", "daughters", "sister", "sisters", "wife", "wives", "aunt", "niece"),
        *("grandmother", "granddaughter", "girlfriend", "bride", "widow", "queen", "princess"),
    ),
    "male": (
        *("he", "him", "his", "himself", "man", "men", "boy", "boys", "male", "males", "gentleman", "gentlemen"),
        *("father", "fathers", "dad", "son", "sons", "brother", "brothers", "husband", "husbands", "uncle", "nephew"),
        *("grandfather", "grandson", "boyfriend", "groom", "widower", "king", "prince"),
    ),
}
"""Each word of one list has its counterpart in the other."""

PROFESSIONS = (
    *("accountant", "architect", "artist", "carpenter", "chef", "cleaner", "dentist", "designer", "doctor", "driver"),
    *("electrician", "engineer", "farmer", "firefighter", "hairdresser", "judge", "lawyer", "librarian", "manager"),
    *("mechanic", "nurse", "pilot", "plumber", "programmer", "receptionist", "scientist", "secretary", "soldier"),
    *("surgeon", "teacher"),
)

ADJECTIVES = (
    *("aggressive", "ambitious", "beautiful", "brave", "brilliant", "calm", "caring", "clever", "cold", "confident"),
    *("dominant", "emotional", "gentle", "hysterical", "independent", "intelligent", "kind", "lazy", "logical"),
    *("nurturing", "obedient", "powerful", "quiet", "rational", "sensitive", "shy", "strong", "stubborn", "warm"),
    "weak",
)

TOXIC = (
    *("arsehole", "arseholes", "ass", "asshole", "assholes", "bastard", "bastards", "bitch", "bitches", "bullshit"),
    *("cunt", "cunts", "dickhead", "dickheads", "dipshit", "douchebag", "dumbass", "fuck", "fucked", "fucker"),
    *("fuckers", "fucking", "goddamn", "idiot", "idiots", "imbecile", "imbeciles", "jackass", "moron", "morons"),
    *("motherfucker", "motherfuckers", "motherfucking", "piss off", "prick", "scumbag", "scumbags", "shit", "shithead"),
    *("shitty", "shut up", "slut", "sluts", "twat", "wanker", "wankers", "whore", "whores"),
)
"""Insults and profanity. Slurs against groups are left to the user's own list."""
