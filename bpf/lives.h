/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * lives.h - the table of lives: which one is at an address.
 *
 * Every call asks that, and to find an entry of a hash map takes a hundred instructions, to add or remove one several hundred. So
 * each address has a home: the place that its hash says, of twice as many as lives are allowed. Who finds its home taken is displaced
 * to one of the spare places behind them, and a map says which; the home counts those, so that who finds another address there mostly
 * knows that there is nothing to look for.
 *
 * Several CPUs take places and leave them. Who puts its address into a free home has it. Who may leave a place, or begin another
 * life in it, is who changes the state of the life there to LIFE_NONE: a change of `phase` that expects an older life fails, as
 * that holds a part of the life's id. A bit for each place that was taken (`taken`) saves whoever looks for dead lives the others.
 */
#ifndef SKBSPAN_LIVES_H
#define SKBSPAN_LIVES_H

#include "config.h"
#include "maps.h"

/* Of all CPUs. In a section of its own: programs.bpf.o shares it. */
struct life_counts {
	u64 minted; /* ids, 1.. in order of birth. One atomic per life, not per event */
	u64 taken; /* places */
	u64 spares; /* that ever were taken */
	u64 left; /* spares that were left again: the end of the queue */
	u64 reused; /* and those of them that were taken again: its beginning */
};

struct life_counts life_counts SEC(".data.minted");

static __always_inline u64 mint_life(void)
{
	return __sync_fetch_and_add(&life_counts.minted, 1) + 1;
}

/*
 * Which addresses had a life in this run, a bit for all that have the same hash. Most skbs on a busy host never have one, and a
 * bit is looked at in half the time that the table takes to say so. Never cleared: a skb cache hands out the same addresses.
 * Shared like life_counts.
 */
#define LIVED_BITS 65536
u64 lived[LIVED_BITS / 64] SEC(".data.lived");

/* Of the lower half of the address: in a tp_btf program it is a typed pointer, of which only a 32-bit difference is a number. */
static __always_inline u32 lived_bit(u64 skb)
{
	u64 low;

	asm volatile("r1 = %1\n\tw1 -= 0\n\t%0 = r1" : "=r"(low) : "r"(skb) : "r1");
	return (u32)low * 0x9e3779b9U >> 16;
}

/* False: there is no life at this address, and never was. */
static __always_inline bool may_live(u64 skb)
{
	u32 bit = lived_bit(skb);

	return lived[bit / 64] >> bit % 64 & 1;
}

static __always_inline u64 home_of(u64 skb)
{
	return skb * 0x9e3779b97f4a7c15ULL >> config.life_shift;
}

/*
 * All places are the one value of an array map, so that a place is an address and not a look-up, of which each one would also have the
 * kernel rewrite the whole program when it loads it. User space makes the map as large as it has to be and puts it into this
 * instruction (src/collector/life-places.ts), for libbpf fixes the size of such a value when it opens the object.
 */
#define LIFE_PLACES_MARK "0x73656369666c7073" /* no address, and no number that code has in it */

/* Of a number that the verifier knows to be one of a place. */
static __always_inline struct life *life_of(u64 place)
{
	struct life *places;

	asm("%0 = " LIFE_PLACES_MARK " ll" : "=r"(places));
	return places + place;
}

/*
 * NULL: there is no such place. What is known of the number is forgotten first: that a home is one of the first places, or the verifier
 * walks what follows again for the displaced; and what it was compared to, which that of 6.1 does not take together with this.
 */
static __always_inline struct life *life_in(u64 place)
{
	FORGET(place);
	if (place >= config.life_places)
		return NULL;
	/* Not before that, or the verifier sees an address that is none. */
	asm volatile("" : "+r"(place));
	return life_of(place);
}

static __always_inline struct life *home_at(u64 skb)
{
	return life_of(home_of(skb));
}

#define NO_PLACE 0xffffffffU
#define BUSY_PLACE 0xfffffffeU
#define EEXIST 17

/* The place of an address that is not at home; NO_PLACE: it has none. (No function of its own: on_call() has no stack left for one.) */
static __always_inline u32 displaced_place(u64 skb)
{
	u32 *place = bpf_map_lookup_elem(&displaced, &skb), number;
	struct life *life;

	if (!place)
		return NO_PLACE;
	number = *place;
	life = life_in(number);
	return life && life->skb == skb ? number : NO_PLACE;
}

/* The life at an address (a number, no typed pointer); NULL: there is none. */
static __always_inline struct life *life_at(u64 skb)
{
	u64 place = home_of(skb);
	struct life *home = life_of(place);

	if (home->skb != skb)
		place = home->others ? displaced_place(skb) : NO_PLACE;
	return life_in(place);
}

/*
 * The queue of spares is as long as there are spares, so who puts one in finds space. (A map of type queue is not for programs that
 * run in user space's time, as collect() does, before 6.2.)
 */
static __always_inline void leave_spare(u32 place)
{
	u32 at = __sync_fetch_and_add(&life_counts.left, 1) % config.life_spares, *slot;

	slot = bpf_map_lookup_elem(&spares, &at);
	if (slot)
		*(volatile u32 *)slot = place;
}

/* 0: none was left, or another CPU is just taking or leaving one; then there mostly are others that never were taken. */
static __always_inline u32 reuse_spare(void)
{
	u64 first = life_counts.reused;
	u32 at = first % config.life_spares, *slot, place;

	if (first == life_counts.left)
		return 0;
	slot = bpf_map_lookup_elem(&spares, &at);
	if (!slot)
		return 0;
	place = *(volatile u32 *)slot;
	if (!place || __sync_val_compare_and_swap(&life_counts.reused, first, first + 1) != first)
		return 0;
	/* Nobody writes here before this place is left again. */
	*(volatile u32 *)slot = 0;
	return place;
}

/* After its address was put there: see collect_place() in links.h. */
static __always_inline void note_taken(u32 place)
{
	u32 index = place / 64;
	u64 *bits = bpf_map_lookup_elem(&taken, &index);

	if (bits)
		__sync_fetch_and_or(bits, 1ULL << place % 64);
}

/* A spare place for an address whose home is `home`. Returns what take_place() does. */
static __always_inline u32 take_spare(struct life *home, u64 skb)
{
	struct life *life;
	u32 place = reuse_spare();
	long error;

	if (!place) {
		if (life_counts.spares >= config.life_spares)
			return NO_PLACE;
		place = config.life_homes + __sync_fetch_and_add(&life_counts.spares, 1);
	}
	life = life_in(place);
	if (!life)
		return NO_PLACE;
	life->place = place;
	/* Counted first: so that nobody finds 0 while it is there. */
	__sync_fetch_and_add(&home->others, 1);
	life->skb = skb;
	note_taken(place);
	error = bpf_map_update_elem(&displaced, &skb, &place, BPF_NOEXIST);
	if (!error)
		return place;
	life->skb = 0;
	__sync_fetch_and_add(&home->others, -1);
	leave_spare(place);
	return error == -EEXIST ? BUSY_PLACE : NO_PLACE;
}

/* A place, with LIFE_NONE in it, for an address that has none; NO_PLACE: there is none; BUSY_PLACE: another CPU has just taken one for it. */
static __always_inline u32 take_place(u64 skb)
{
	u32 place = home_of(skb);
	struct life *life = life_of(place);
	u64 holder;

	if (__sync_fetch_and_add(&life_counts.taken, 1) < config.lives) {
		holder = __sync_val_compare_and_swap(&life->skb, 0, skb);
		if (!holder) {
			note_taken(place);
			return place;
		}
		place = holder == skb ? BUSY_PLACE : take_spare(life, skb);
		if (place < BUSY_PLACE)
			return place;
	} else {
		place = NO_PLACE;
	}
	__sync_fetch_and_add(&life_counts.taken, -1);
	return place;
}

/* Only for who has changed its state to LIFE_NONE: `skb` has no place from here on. */
static __always_inline void leave_place(struct life *life, u64 skb)
{
	u32 place = life->place;

	if (place)
		bpf_map_delete_elem(&displaced, &skb);
	*(volatile u64 *)&life->skb = 0;
	if (place) {
		__sync_fetch_and_add(&home_at(skb)->others, -1);
		leave_spare(place);
	}
	__sync_fetch_and_add(&life_counts.taken, -1);
}

/* Changes the state of the life that had this phase. False: it has another state by now, or it is another life. */
static __always_inline bool change_state(struct life *life, u32 phase, u32 state)
{
	return __sync_val_compare_and_swap(&life->phase, phase, (phase & ~PHASE_STATE) | state) == phase;
}

/* Takes the life of an address away, unless another CPU is just doing that. */
static __always_inline void forget(u64 skb, struct life *life)
{
	u32 phase = life->phase;

	if ((phase & PHASE_STATE) != LIFE_NONE && change_state(life, phase, LIFE_NONE))
		leave_place(life, skb);
}

static __always_inline bool is_over(const struct life *life)
{
	return life->state < LIFE_ALIVE;
}

/*
 * Was it a dead life of this address, and nobody else has the place yet? Then it is the caller's to begin a life in or to leave. In
 * this order: if the phase is the same in the end, the address was its.
 */
static __always_inline bool claim_dead(struct life *life, u64 skb)
{
	u32 phase = *(volatile u32 *)&life->phase, state = phase & PHASE_STATE;

	return (state == LIFE_DYING || state == LIFE_GONE) && *(volatile u64 *)&life->skb == skb &&
	       change_state(life, phase, LIFE_NONE);
}

#endif
