// Package kafkaio reads Kafka topics (and what speaks Kafka's protocol) into
// tables.
//
// A record with a key is a row that replaces the former one with that key in
// its topic; a record with a key and no value, a tombstone, deletes it. A
// record without a key is a row of its own. Offsets are part of the engine's
// commit, not of a consumer group: what an epoch holds and where reading goes on
// after a crash are one and the same commit, so nothing is lost or read twice
// into the state. Records of transactions that were aborted are not seen.
//
// A broker that is down is waited for, at the start as well as later: the
// source's status says since when it is in trouble and why. A record that
// cannot be decoded goes to the error table with its topic, partition and
// offset, and reading goes on.
package kafkaio
