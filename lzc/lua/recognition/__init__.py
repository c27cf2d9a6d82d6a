"""PACKAGE lzc/lua/recognition"""
