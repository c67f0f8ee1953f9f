#!/bin/bash
echo one
echo two >&2
echo three
