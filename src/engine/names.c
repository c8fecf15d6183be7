/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/names.h"
#include "base/arena.h"

#include <stdlib.h>
#include <sys/random.h>

/* Words of water, stone and weather: a caisson is sunk to build on. */
static const char *const left[] = {
    "amber", "ample",  "brisk",	   "calm",   "candid", "clear", "coral",  "crisp",  "deep",
    "early", "even",   "fair",	   "firm",   "fleet",  "fresh", "gentle", "glad",   "golden",
    "grand", "hardy",  "hidden",   "humble", "ivory",  "jolly", "keen",	  "kind",   "level",
    "light", "lively", "lucid",	   "mellow", "merry",  "mild",	"modest", "narrow", "noble",
    "open",  "pale",   "patient",  "plain",  "polite", "proud", "quick",  "quiet",  "rapid",
    "ready", "round",  "rustic",   "sandy",  "serene", "sharp", "silent", "silver", "sleek",
    "slow",  "smooth", "solid",	   "spare",  "steady", "still", "stout",  "sunny",  "swift",
    "tidal", "tidy",   "tranquil", "true",   "upper",  "vast",	"vivid",  "warm",   "wide",
};
static const char *const right[] = {
    "anchor",  "arch",	 "atoll",  "basin", "bay",    "beach",	 "beacon", "bluff",  "bridge",
    "brook",   "buoy",	 "canal",  "cape",  "cavern", "channel", "cliff",  "cove",   "creek",
    "current", "dam",	 "delta",  "dike",  "dock",   "drift",	 "dune",   "eddy",   "estuary",
    "ferry",   "fjord",	 "foam",   "ford",  "geyser", "glacier", "grotto", "gulf",   "harbor",
    "inlet",   "island", "jetty",  "keel",  "lagoon", "lake",	 "ledge",  "levee",  "lock",
    "marsh",   "meadow", "moor",   "mouth", "oasis",  "pier",	 "pillar", "pond",   "quay",
    "rapids",  "reef",	 "ridge",  "river", "rock",   "shoal",	 "shore",  "sluice", "spring",
    "strait",  "stream", "summit", "tide",  "tower",  "vault",	 "wave",   "weir",   "wharf",
};

const char *names_random(struct arena *a, int tries)
{
	unsigned short v[2];
	const char *l, *r;

	if (getrandom(v, sizeof(v), 0) != sizeof(v))
		abort();
	l = left[v[0] % (sizeof(left) / sizeof(left[0]))];
	r = right[v[1] % (sizeof(right) / sizeof(right[0]))];
	return tries < 4 ? arena_printf(a, "%s_%s", l, r)
			 : arena_printf(a, "%s_%s%u", l, r, v[0] % 1000u);
}
