# Each target is one script; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help up down clean demo test lint generate dashboard bench faults e2e

help: ## This list
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

up: ## Install what is missing, build, start everything, print the URL and the login
	@exec scripts/up

down: ## Stop what `make up` started
	@exec scripts/down

clean: down ## Remove all data and everything built
	@exec scripts/clean

demo: ## Sample monitors for a running mesh, with a target that you can take down
	@upmesh="$${CARGO_TARGET_DIR:-target}/release/upmesh"; [ -x "$$upmesh" ] || { echo "make up first: it builds the program and starts the mesh" >&2; exit 1; }; \
		exec "$$upmesh" demo

test: ## All tests, against real PostgreSQL, Redis, Kafka and Chromium
	@exec scripts/test

lint: ## Formatting, lints, licences, layers, manifests, scripts, workflows, API descriptions
	@exec scripts/lint

generate: ## Everything that is generated and committed
	@exec scripts/generate

dashboard: ## Build the dashboard
	@exec scripts/dashboard

bench: ## The suite of figures, into docs/performance.md
	@exec scripts/bench

faults: ## The table of faults, MINUTES=20 SEED=…, into docs/reliability.md
	@exec scripts/faults

e2e: ## The browser test alone, before a mesh in one process
	@exec scripts/test e2e
