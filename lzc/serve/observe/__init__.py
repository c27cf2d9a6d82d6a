"""PACKAGE lzc/serve/observe"""
