// SPDX-License-Identifier: MIT
#include "schedules.h"

struct scenario_result scenario_search(const struct scenario *s, uint64_t first, unsigned int seeds)
{
	struct scenario_result r = { .ok = true };
	u64 before = test_seed;

	for (uint64_t seed = first; seed < first + seeds && r.ok; seed++) {
		struct hosted_schedule schedule = { .seed = seed,
						    .interrupt = s->interrupt,
						    .interrupt_one_in = s->one_in,
						    .max_steps = s->max_steps };
		struct hosted_options options = { .seed = seed, .mode = HOSTED_COROUTINES, .quiet = true,
						  .cpus = s->machine ? s->cpus : 0,
						  .asids = s->asids, .strict_structure = s->strict_structure,
						  .threads = s->threads };
		struct bootinfo info = s->machine ? *s->machine : *hosted_default_machine();
		int err;

		/* What the work draws is repeated with the interleaving. */
		test_seed = seed;
		info.cmdline = s->cmdline ? s->cmdline : info.cmdline;
		err = hosted_boot(&info, &options);

		if (!err && s->setup)
			s->setup(s->ctx);
		if (!err)
			err = hosted_run_coroutines(s->cpus, s->work, s->ctx, &schedule);
		/* A thread of the core's may be amid of something that the CPUs' work does not wait for. */
		if (!err && !schedule.stuck && s->threads)
			hosted_threads_settle();
		r.runs++;
		r.steps += schedule.steps;
		r.switches += schedule.switches;
		r.stuck = schedule.stuck;
		r.ok = !err && s->check(s->ctx);
		r.failing_seed = seed;
		if (schedule.stuck) /* locks may be held for ever: nothing more can be done on this machine */
			hosted_reset();
	}
	test_seed = before;
	return r;
}

void scenario_test(const struct scenario *s, unsigned int seeds)
{
	struct scenario_result r = scenario_search(s, test_seed, seeds);

	if (!r.ok)
		test_fail(__FILE__, __LINE__, "%s after %llu runs; replay with --seed %llu",
			  r.stuck ? "stuck" : "wrong", (unsigned long long)r.runs,
			  (unsigned long long)r.failing_seed);
}
