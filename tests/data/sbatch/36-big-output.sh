#!/bin/bash
seq 1 200000
