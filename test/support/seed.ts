import fc from 'fast-check';

// Property tests draw the same cases on every machine; FAST_CHECK_SEED draws others, and a failure prints its seed.
fc.configureGlobal({ seed: Number(process.env.FAST_CHECK_SEED ?? 20261122) });
