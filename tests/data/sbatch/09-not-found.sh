#!/bin/bash
no-such-command-anywhere
