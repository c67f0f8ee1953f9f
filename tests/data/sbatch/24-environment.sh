#!/bin/bash
echo "$FROM_CALLER {task} {name}"
