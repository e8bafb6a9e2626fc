//! Sync under faults: whatever a seed does to the network, the processes and the disks, every node ends at the digest of the head.
//!
//! Real: the publisher over its SQLite store, the sync service, rollouts, and on each node what follows, verifies, keeps and
//! enforces, over gRPC and mutual TLS. Simulated: the network, each host's clock and the end of processes (`turmoil`); disks are
//! directories that a crash damages. A seed decides when what is published, killed, cut off, held back, damaged and restored, and
//! how long messages take. What is *not* decided by it: SQLite's own threads, the wall clock, by which a rollout bakes, the
//! jitter between attempts, and keys. A seed that failed therefore fails again almost always, not always.
//!
//! A store that is restored from an older copy forgets what was published since, and is given epochs until one is above every node's,
//! as an operator does who looks at the nodes.
//!
//! 50 seeds, which take a minute on two cores that are busy with other tests; 1,000 with `CHANCERY_LONG`; with `CHANCERY_SEED` that
//! one, told event by event.

#[cfg(test)]
mod chance;
#[cfg(test)]
mod control;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod node;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod world;
