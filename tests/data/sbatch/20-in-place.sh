#!/bin/bash
basename "$PWD"
cat before.txt
echo made here >made.txt
