#!/bin/bash
trap "echo at the end" EXIT
echo begun
exit 2
