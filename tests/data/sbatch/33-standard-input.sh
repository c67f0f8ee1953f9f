#!/bin/bash
cat
echo "that was all"
