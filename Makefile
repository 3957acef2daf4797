# Lingbao: `make run` serves it, `make test` proves it. The logic stands in scripts/.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help run build test setup fmt lint shots bench bench-openstack clean-data test-openstack run-openstack openstack-up openstack-down

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## set up, build release, serve http://127.0.0.1:3000 with the demo city
	@scripts/setup && exec scripts/run

build: ## only build what `make run` serves
	@scripts/setup && scripts/run build

test: ## set up and run everything that needs no real OpenStack
	@scripts/setup --test && scripts/test

setup: ## install what is missing, for tests too
	@scripts/setup --test

fmt: ## format the Rust sources
	@. scripts/env && cargo fmt --all

lint: ## format check, clippy for server and browser, architecture tests
	@scripts/setup && scripts/test lint

shots: ## screenshots of the pages into end2end/out (1440 and 360 px, light and dark, zh and en)
	@scripts/setup --test && scripts/run build && cd end2end && . ../scripts/env && npx --no-install playwright test --grep @shots

bench: ## figures of the release build: start, memory, pages, ratios to bare code; fails above a limit
	@scripts/setup --test && scripts/run build && { missed=0; for one in budget bench ratios; do scripts/$$one || missed=1; done; exit $$missed; }

clean-data: ## throw the demo city of `make run` away
	@rm -rf data && echo "data/ is gone; the next start loads the demo city anew"

test-openstack: ## bring a real OpenStack up (the lab), test against it, take it down again
	@scripts/setup --test && end2end/openstack/lab run scripts/test openstack

bench-openstack: ## figures of the portal on a real OpenStack, against a script (half an hour)
	@scripts/setup --test && end2end/openstack/lab run scripts/ratios openstack

run-openstack: ## the same portal on a real OpenStack: brings the lab up, serves the demo town on it
	@end2end/openstack/lab up && scripts/setup && exec scripts/run openstack

openstack-up: ## only bring the lab up; says how to reach it (end2end/openstack/README.md)
	@end2end/openstack/lab up

openstack-down: ## stop the lab; its state stays for the next time
	@end2end/openstack/lab down
