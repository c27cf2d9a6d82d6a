"""PACKAGE lzc/compiler/incremental"""
