# What people run. The work is in scripts/, which can be run by itself.

.PHONY: run build test check fuzz release bench clean

run:            ## index and serve the example documents
	go run ./cmd/ragserver ./examples/docs

build:          ## the static binary, in ./bin
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o bin/ragserver ./cmd/ragserver

test:           ## all tests; installs what the machine lacks when it may, names what it skips
	./scripts/test

check:          ## the slower checks that CI adds: cross builds, pure-Go kernels, reproducible page
	./scripts/check

fuzz:           ## every fuzz target for a while (FUZZTIME=10s)
	./scripts/fuzz

release:        ## archives with checksums for every platform, in ./release
	./scripts/release

bench:          ## see bench/README.md
	@sed -n '1,40p' bench/README.md

clean:
	rm -rf bin release
